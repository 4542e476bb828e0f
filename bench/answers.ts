/**
 * What an answer costs beside the model: many answers at once, their time to the first token compared with that of a bare
 * proxy to the same model in the same run, and how often an answer writes to the database.
 *
 * ANSWERS is how many run at once; the default is 200. The played model says 40 words in about four seconds. Everything, the
 * model and the clients too, shares this machine.
 *
 * @module
 */

import { PLAYED_KEY, startPlayedModel } from "../stack/played_model/server.ts";
import { readOptions } from "../stack/options.ts";
import { freePort } from "../stack/ports.ts";
import { connect } from "../stack/postgres.ts";
import { noReport, say } from "../stack/progress.ts";
import { startStack } from "../stack/stack.ts";
import { percentile, signUp } from "./ordinary_users.ts";
import { DURABLE } from "./throughput.ts";

const ANSWERS = Number(Deno.env.get("ANSWERS") ?? "200");
const WORDS = 40;
const PACE_MS = 100;
const ROUNDS = 3;

/** The aim: at most this many times the proxy's time to the first token. */
const AIM = 1.3;

const MESSAGE = `Answer [words=${WORDS}] [pace=${PACE_MS}]`;

/** The time to the first word of each answer, in milliseconds, and how many were complete. */
interface Measured {
  first: number[];
  complete: number;
}

/** Asks as many at once as the benchmark measures. */
async function askAll(ask: (n: number) => Promise<Response>, end: string): Promise<Measured> {
  const first: number[] = [];
  let complete = 0;
  await Promise.all(Array.from({ length: ANSWERS }, async (_, n) => {
    const start = performance.now();
    const response = await ask(n);
    if (!response.ok || !response.body) {
      throw new Error(`${response.status} ${await response.text()}`);
    }
    let text = "";
    for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
      if (!text.includes("This") && (text + part).includes("This")) {
        first.push(performance.now() - start);
      }
      text += part;
    }
    if (text.includes(end)) complete++;
  }));
  return { first, complete };
}

/** Starts the proxy, and returns its port. */
async function startProxy(url: string): Promise<{ child: Deno.ChildProcess; port: number }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-net",
      "--quiet",
      new URL("answer_proxy.ts", import.meta.url).pathname,
      url,
      PLAYED_KEY,
    ],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  return { child, port: Number(value) };
}

async function main(): Promise<void> {
  const dir = await Deno.makeTempDir();
  await Deno.chmod(dir, 0o755);
  const stack = await startStack(
    { ...await readOptions(), dir, apiPort: freePort(), dbPort: freePort() },
    { report: noReport, log: () => {}, watch: false, durable: DURABLE, schedule: false },
  );
  const model = startPlayedModel();
  const proxy = await startProxy(model.url);
  const sql = connect(stack.access, "postgres");
  try {
    await sql`update private.settings set value = 10000 where name in ('answers.at_once', 'answers.per_minute')`;
    await sql`update private.settings set value = 0 where name = 'requests.per_user'`;
    const tokens: string[] = [];
    for (let n = 0; n < 20; n++) {
      const user = await signUp(stack.apiUrl, stack.keys.publishableKey);
      await sql`select grant_credits(${user.id}, 100000)`;
      const { data } = await user.client.auth.getSession();
      tokens.push(data.session?.access_token ?? "");
    }
    const ask = (n: number) =>
      fetch(`${stack.apiUrl}/functions/v1/answers`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${tokens[n % tokens.length]}`,
          "content-type": "application/json",
        },
        body: JSON.stringify({ message: MESSAGE }),
      });
    const askProxy = () =>
      fetch(`http://127.0.0.1:${proxy.port}`, {
        method: "POST",
        body: JSON.stringify({ message: MESSAGE }),
      });
    await (await ask(0)).text();
    await (await askProxy()).text();

    say(
      `${ANSWERS} answers at once, of ${WORDS} words in ${
        WORDS * PACE_MS / 1000
      } s; ${ROUNDS} rounds`,
    );
    const ratios: number[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      const bare = await askAll(askProxy, "[DONE]");
      const [before] =
        await sql`select n_tup_ins::int as n from pg_stat_user_tables where relname = 'answer_parts'`;
      const start = performance.now();
      const ours = await askAll(ask, '"type":"finish"');
      const seconds = (performance.now() - start) / 1000;
      await sql`select pg_stat_force_next_flush()`;
      const [after] =
        await sql`select n_tup_ins::int as n from pg_stat_user_tables where relname = 'answer_parts'`;
      const writes = (after!.n - before!.n) / ANSWERS / seconds;
      const [p50, bare50] = [ours, bare].map(({ first }) => percentile(first, 0.5)) as [
        number,
        number,
      ];
      ratios.push(p50 / bare50);
      say(
        `  round ${round}: complete ${ours.complete}, proxy ${bare.complete}; first token p50 ${
          p50.toFixed(0)
        } ms, ` +
          `proxy ${bare50.toFixed(0)} ms: ${(p50 / bare50).toFixed(2)}; p95 ${
            percentile(ours.first, 0.95).toFixed(0)
          } ms, ` +
          `proxy ${percentile(bare.first, 0.95).toFixed(0)} ms; ${
            writes.toFixed(2)
          } writes a second and answer`,
      );
    }
    const [left] = await sql`select count(*)::int as running from answers where state = 'running'`;
    say(
      `Time to the first token against the proxy, median of rounds: ${
        percentile(ratios, 0.5).toFixed(2)
      } (aim ${AIM}). ` +
        `Still running: ${left!.running}`,
    );
  } finally {
    await sql.end();
    proxy.child.kill();
    await proxy.child.status;
    await model.stop();
    await stack.stop();
    await Deno.remove(dir, { recursive: true });
  }
}

await main();

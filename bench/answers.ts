/**
 * What an answer costs beside the model: the time to its first token compared with that of a bare proxy to the same model in
 * the same run, the CPU time of each process, and how often an answer writes to the database.
 *
 * ANSWERS is how many run at once; the default is 200. They begin in two ways: all in one instant, and one after another over
 * the length of an answer, so that as many are always running. The played model says 40 words in about four seconds. The
 * model, the proxy, the stack and the clients are separate processes, and share this machine.
 *
 * @module
 */

import postgres from "postgres";

import { PLAYED_KEY } from "../stack/played_model/server.ts";
import { say } from "../stack/progress.ts";
import { ANSWERS, askAtOnce, askInTurn, LENGTH_MS, type Measured, MESSAGE } from "./answer_load.ts";
import { percentile, signUp } from "./ordinary_users.ts";
import { cpuOf, cpuOfFamily, findChild, startHost } from "./processes.ts";

const ROUNDS = 3;
const USERS = 20;

/** The aim: at most this many times the proxy's time to the first token. */
const AIM = 1.3;

/** The aim: at most this many writes a second and answer. */
const WRITES_AIM = 4;

const dir = await Deno.makeTempDir();
// PostgreSQL's user needs access to its data below.
await Deno.chmod(dir, 0o755);
const model = await startHost("answer_host.ts", "model");
const proxy = await startHost("answer_host.ts", "proxy", model.ready.url ?? "", PLAYED_KEY);
const stack = await startHost("answer_host.ts", "stack", dir);
const { SUPABASE_URL = "", SUPABASE_PUBLISHABLE_KEY = "", SUPABASE_ADMIN_DB_URL = "" } =
  stack.ready;
const sql = postgres(SUPABASE_ADMIN_DB_URL, { max: 1 });

/** Gives the users credits, lifts their limits, and returns their tokens. */
async function prepare(): Promise<string[]> {
  await sql`update private.settings set value = 10000 where name in ('answers.at_once', 'answers.per_minute')`;
  await sql`update private.settings set value = 0 where name = 'requests.per_user'`;
  await sql`update model_providers set base_url = ${model.ready.url ?? ""} where name = 'played'`;
  await sql`alter system set track_functions = 'pl'`;
  await sql`select pg_reload_conf()`;
  const tokens: string[] = [];
  for (let n = 0; n < USERS; n++) {
    const user = await signUp(SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY);
    await sql`select grant_credits(${user.id}, 1000000)`;
    const { data } = await user.client.auth.getSession();
    tokens.push(data.session?.access_token ?? "");
  }
  return tokens;
}

/** What was used up to now: CPU time in milliseconds, rows of parts, and calls that wrote them. */
async function readMeters(pids: { functions: number; database: number }) {
  const [counted] = await sql`
    select pg_stat_force_next_flush(),
      (select n_tup_ins::int from pg_stat_user_tables where relname = 'answer_parts') as parts,
      (select coalesce(sum(calls), 0)::int from pg_stat_user_functions where funcname like 'append_answer%parts') as calls`;
  return {
    function: cpuOf(pids.functions),
    database: cpuOfFamily(pids.database),
    gateway: cpuOf(stack.pid),
    proxy: cpuOf(proxy.pid),
    client: cpuOf(Deno.pid),
    model: cpuOf(model.pid),
    parts: counted!.parts as number,
    calls: counted!.calls as number,
  };
}

try {
  const tokens = await prepare();
  const ask = (n: number) =>
    fetch(`${SUPABASE_URL}/functions/v1/answers`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${tokens[n % tokens.length]}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ message: MESSAGE }),
    });
  const askProxy = () =>
    fetch(`http://127.0.0.1:${proxy.ready.port}`, {
      method: "POST",
      body: JSON.stringify({ message: MESSAGE }),
    });
  await (await ask(0)).text();
  await (await askProxy()).text();
  const [{ pid: database = 0 } = {}] =
    await sql`select split_part(pg_read_file('postmaster.pid'), E'\n', 1)::int as pid`;
  const pids = { functions: findChild(stack.pid, "functions_host.ts"), database };

  const ways: [
    string,
    (ask: (n: number) => Promise<Response>, end: string) => Promise<Measured>,
  ][] = [["all in one instant", askAtOnce], ["begun one after another", askInTurn]];
  for (const [name, askAll] of ways) {
    say(`\n${ANSWERS} answers at once of ${LENGTH_MS / 1000} s, ${name}; ${ROUNDS} rounds`);
    const ratios: number[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      const before = await readMeters(pids);
      const bare = await askAll(askProxy, "[DONE]");
      const between = await readMeters(pids);
      const ours = await askAll(ask, '"type":"finish"');
      const after = await readMeters(pids);
      const [p50, bare50] = [ours, bare].map(({ first }) => percentile(first, 0.5)) as [
        number,
        number,
      ];
      ratios.push(p50 / bare50);
      const cpu = (meter: "function" | "database" | "gateway" | "client" | "model") =>
        `${meter} ${((after[meter] - between[meter]) / ours.asked).toFixed(1)}`;
      const perSecond = (count: number) => (count / ours.runningSeconds).toFixed(2);
      say(
        `  round ${round}: complete ${ours.complete} of ${ours.asked}, proxy ${bare.complete} of ${bare.asked}; ` +
          `first token p50 ${p50.toFixed(0)} ms, proxy ${bare50.toFixed(0)} ms: x${
            (p50 / bare50).toFixed(2)
          }; p95 ${percentile(ours.first, 0.95).toFixed(0)} ms, proxy ${
            percentile(bare.first, 0.95).toFixed(0)
          } ms\n` +
          `           CPU ms an answer: ${
            (["function", "database", "gateway", "client", "model"] as const).map(cpu).join(", ")
          }; the proxy ${((between.proxy - before.proxy) / bare.asked).toFixed(1)}\n` +
          `           a second and answer: ${
            perSecond(after.parts - between.parts)
          } parts written by ${perSecond(after.calls - between.calls)} calls`,
      );
    }
    const ratio = percentile(ratios, 0.5);
    say(
      `Time to the first token against the proxy, median of rounds: x${ratio.toFixed(2)}, aim x${
        AIM.toFixed(2)
      }${ratio > AIM ? " MISSED" : ""}; aim for parts: at most ${WRITES_AIM} a second and answer`,
    );
  }
  const [left] = await sql`select count(*)::int as running from answers where state = 'running'`;
  say(`\nStill running: ${left!.running}`);
} finally {
  await sql.end();
  for (const host of [proxy, stack, model]) await host.stop();
  await Deno.remove(dir, { recursive: true });
}

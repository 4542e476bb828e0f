import assert from "node:assert/strict";

import postgres from "postgres";

import { processesOf, withCheckout } from "../_testing/checkout.ts";
import { signUp, soak, test, type TestStack, type TestUser, until } from "../_testing/testing.ts";
import {
  type Books,
  booksOf,
  onStack,
  post,
  readEvents,
  resume,
  stop,
  textIn,
} from "./answers_testing.ts";

const SEED = Number(Deno.env.get("SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
const RUNS = Math.ceil(12 * soak);

/** Words of an answer that nothing disturbs. */
const WORDS = 40;

/** Numbers that look random and depend on the seed only (mulberry32). */
function randomNumbers(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let x = Math.imul(seed ^ seed >>> 15, 1 | seed);
    x = x + Math.imul(x ^ x >>> 7, 61 | x) ^ x;
    return Math.floor(((x ^ x >>> 14) >>> 0) / 2 ** 32 * below);
  };
}

/** Kills the process of this stack's functions, as the platform does. The next request starts another one. */
async function killFunctions({ url }: TestStack): Promise<void> {
  for (const pid of processesOf("functions_host.ts")) {
    const environment = await Deno.readTextFile(`/proc/${pid}/environ`).catch(() => "");
    if (!environment.split("\0").includes(`SUPABASE_URL=${url}`)) continue;
    Deno.kill(Number(pid), "SIGKILL");
    await until(() => !processesOf("functions_host.ts").includes(pid));
  }
}

/** Kills a connection of the API: PostgreSQL then ends all others and recovers. */
async function killDatabase({ adminDbUrl }: TestStack): Promise<void> {
  const sql = postgres(adminDbUrl, { max: 1 });
  const [row] = await sql`select pid from pg_stat_activity where usename = 'stack_api' limit 1`;
  await sql.end();
  if (row) Deno.kill(row.pid, "SIGKILL");
}

/** What goes wrong, when the client has received a number of events. */
const FAULTS: Record<
  string,
  (of: TestStack, user: TestUser, gone: AbortController) => Promise<unknown>
> = {
  function: killFunctions,
  database: killDatabase,
  client: (_of, _user, gone) => Promise.resolve(gone.abort()),
  stop: (_of, user) => stop(user, "chat"),
  twice: (of, user) => Promise.all([stop(user, "chat"), killFunctions(of)]),
  none: () => Promise.resolve(),
};

/** What the user says: some of it makes the provider go wrong. */
const QUESTIONS = ["", "[fail] [fail-after=17]", "[reason]"];

/** Makes an answer look as if nobody had written to it for long, if it still runs; whoever looks then settles it. */
async function abandon({ dbUrl }: TestStack, user: TestUser): Promise<void> {
  const sql = postgres(dbUrl, { max: 1 });
  try {
    await sql`update answer_parts set written_at = written_at - interval '1 day' where user_id = ${user.id}`;
    await sql`update answers set created_at = created_at - interval '1 day' where user_id = ${user.id}`;
  } finally {
    await sql.end();
  }
}

/** Compares what an answer left behind with what it must. */
function check(books: Books, seen: string, context: string): void {
  const { answers: [answer], charged, open, parts, drafts, held, problems } = books;
  assert.deepEqual([open, parts, drafts, held, problems], [0, 0, 0, 0, 0], context);
  if (!answer) return assert.deepEqual([charged, seen], [0, ""], context);
  const said = ((answer.content ?? []) as { type: string; text?: string }[]).map(({ text = "" }) =>
    text
  ).join("");
  const number = (name: string) => Number(answer[name]);
  const expected = (number("input_tokens") - number("cached_input_tokens")) * 1000 +
    number("cached_input_tokens") * 100 + number("output_tokens") * 4000;
  assert.equal(charged, Math.round(expected / 100) / 10_000, context);
  assert.equal(charged, answer.credits, context);
  // No text without its price, and no price without its text.
  assert.equal(charged > 0, said !== "", context);
  // What the client has seen is what is there, or the beginning of it: all but what came in the last moment before a kill.
  assert.ok(
    said.startsWith(seen) || answer.state === "abandoned" && seen.startsWith(said),
    `${context}: ${seen} / ${said}`,
  );
  if (answer.state === "complete") {
    assert.equal(answer.usage_source, "provider", context);
    assert.equal(answer.status, "complete", context);
  } else if (said) assert.equal(answer.status, "aborted", context);
}

test("whatever is killed and whenever: text, usage, charge and hold of an answer agree", async () => {
  console.log(`SEED=${SEED}`);
  // A stack of its own: that of the run does not keep what it has committed when the database is killed.
  await withCheckout(async (checkout) => {
    await checkout.start();
    const of = await checkout.stack();
    await onStack(of, () => disturbAnswers(of));
  });
});

async function disturbAnswers(of: TestStack): Promise<void> {
  const random = randomNumbers(SEED);
  const states = new Map<string, number>();
  for (let run = 0; run < RUNS; run++) {
    const names = Object.keys(FAULTS);
    const fault = names[run < names.length ? run : random(names.length)]!;
    const question = QUESTIONS[random(QUESTIONS.length)]!;
    // A client that goes before the response has begun does not know whether there is an answer.
    const at = Math.max(random(WORDS + 12), fault === "client" ? 1 : 0);
    const context = `SEED=${SEED} run ${run}: ${fault} at event ${at} of "${question}"`;
    let user: TestUser | undefined;
    // The database may still be recovering from the last run.
    await until(async () => (user = await signUp(of).catch(() => undefined)) !== undefined);
    if (!user) throw new TypeError("Nobody signed up");
    const runs = await disturbAnswer(of, user, { fault, question, at, pace: random(15), context });
    states.set(runs, (states.get(runs) ?? 0) + 1);
  }
  console.log(JSON.stringify(Object.fromEntries(states)));
}

/** A disturbance of an answer. */
interface Disturbance {
  fault: string;
  question: string;
  at: number;
  pace: number;
  context: string;
}

/** Asks a question, disturbs the answer, and checks what is left. Returns the state of the answer. */
async function disturbAnswer(
  of: TestStack,
  user: TestUser,
  { fault, question, at, pace, context }: Disturbance,
): Promise<string> {
  const gone = new AbortController();
  const response = post(user, {
    id: "chat",
    message: `${question} [words=${WORDS}] [pace=${pace}]`,
  }, { signal: gone.signal });
  let seen = "";
  let count = 0;
  let disturbance: Promise<unknown> | undefined;
  const disturb = () => disturbance ??= FAULTS[fault]!(of, user, gone).catch(() => {});
  if (at === 0) await disturb();
  let begun = false;
  try {
    const received = await response;
    begun = received.status === 200;
    if (!begun) await received.body?.cancel();
    else {
      await readEvents(received, ({ chunk }) => {
        if (chunk.type === "text-delta" || chunk.type === "reasoning-delta") seen += chunk.delta;
        if (++count >= at) disturb();
        return false;
      });
    }
  } catch { /* the connection broke, which is the point */ }
  await disturbance;

  // It ends by itself, or it is settled by who looks next.
  let state: unknown;
  await until(async () => {
    const books = await booksOf(user).catch(() => undefined);
    if (!books) return false;
    state = books.answers[0]?.state;
    if (state !== "running") return true;
    // The function is there, and ends the answer itself.
    if (begun && !["function", "twice"].includes(fault)) return false;
    await abandon(of, user);
    const looked = await resume(user, "chat").catch(() => undefined);
    await looked?.body?.cancel();
    return false;
  });
  check(await booksOf(user), seen, context);

  // All who look later see the same.
  const { answers: [answer] } = await booksOf(user);
  if (answer?.content) {
    const { events, done } = await readEvents(await resume(user, String(answer.id)));
    assert.ok(done, context);
    const last = (answer.content as { type: string; text: string }[]).filter(({ type }) =>
      type === "text"
    ).map(({ text }) => text).join("");
    assert.equal(textIn(events.map(({ chunk }) => chunk)), last, context);
  }
  return String(state);
}

test("a stop at the moment when the answer ends leaves one ending, and one price", async () => {
  for (let round = 0; round < Math.ceil(soak); round++) await stopAtTheEnd();
});

/** Stops ten answers, each at another moment. */
async function stopAtTheEnd(): Promise<void> {
  const users = await Promise.all(Array.from({ length: 10 }, () => signUp()));
  await Promise.all(users.map(async (user, n) => {
    const response = await post(user, { id: "chat", message: "[words=10] [pace=2]" });
    let count = 0;
    let stopping: Promise<Response> | undefined;
    const { events } = await readEvents(response, () => {
      if (++count >= 2 + n % 12) stopping ??= stop(user, "chat");
      return false;
    });
    const { answer } = await (await stopping!).json();
    assert.ok(["complete", "stopped"].includes(answer.state), answer.state);
    const books = await booksOf(user);
    assert.equal(books.answers[0]?.state, answer.state);
    check(books, textIn(events.map(({ chunk }) => chunk)), answer.state);
    assert.equal(events.at(-1)?.chunk.type, answer.state === "complete" ? "finish" : "abort");
  }));
}

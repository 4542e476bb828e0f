/**
 * What one hostile account does to another user: the 95th percentile of users' requests while a neighbour repeats
 * something heavy, compared with the same requests while nobody else is there, and with a neighbour who repeats an
 * ordinary request. Over HTTP, against a whole stack. ONLY=TEXT measures only the habits with this in their name.
 *
 * @module
 */

import type { Sql } from "postgres";

import { readOptions } from "../stack/options.ts";
import { freePorts } from "../stack/ports.ts";
import { connect } from "../stack/postgres.ts";
import { noReport, say } from "../stack/progress.ts";
import { startStack } from "../stack/stack.ts";
import {
  addProject,
  addUser,
  live,
  percentile,
  type Person,
  signUp,
  type User,
  USERS,
} from "./ordinary_users.ts";
import { ATTACKS, ORDINARY } from "./neighbour_habits.ts";
import type { Setting, Turn } from "./neighbour_worker.ts";
import { DURABLE, SCALE } from "./throughput.ts";

/** Turns of each attack, each after a turn without it. The median counts. */
const ROUNDS = 5;
const TURN_MS = Math.max(300, 3_000 * SCALE);
/** Messages of the hostile account, and half as many files. */
const ROWS = Math.max(100, Math.round(100_000 * SCALE));

/** Measures only the habits with this in their name. */
const ONLY = Deno.env.get("ONLY") ?? "";

/** The aim: at most this many times their own 95th percentile. */
const AIM = 1.5;

/** Gives the hostile account a lot, and the users a little. Returns the users and the large project. */
async function fill(
  sql: Sql,
  hostile: Person,
  people: Person[],
): Promise<{ users: User[]; heavy: string }> {
  const heavy = crypto.randomUUID();
  await addProject(sql, heavy, hostile.id, ROWS, false);
  const users = await Promise.all(people.map((person) => addUser(sql, person)));
  await sql`insert into storage.objects (bucket_id, name, owner_id, metadata)
    select 'app_storage', ${hostile.id} || '/f' || n, ${hostile.id}, '{"size": 100}'
    from generate_series(1, ${Math.round(ROWS / 2)}::int) as n`;
  await sql`analyze`;
  return { users, heavy };
}

/** The 95th percentile of the users' requests during one turn, in milliseconds. */
async function turn(users: User[], neighbour?: () => Promise<void>): Promise<number> {
  const busy = neighbour?.();
  const end = performance.now() + TURN_MS;
  const times: number[] = [];
  for (let n = 0; performance.now() < end; n++) times.push(...await live(users[n % USERS] as User));
  await busy;
  return percentile(times, 0.95);
}

const worker = new Worker(new URL("./neighbour_worker.ts", import.meta.url), { type: "module" });
const dir = await Deno.makeTempDir({ prefix: "strongroom-bench-" });
await Deno.chmod(dir, 0o755);
const stack = await startStack(
  { ...await readOptions(), dir, ...freePorts() },
  { report: noReport, log: () => {}, watch: false, durable: DURABLE, schedule: false },
);
const sql = connect(stack.access, "postgres");
try {
  const { SUPABASE_URL = "", SUPABASE_PUBLISHABLE_KEY = "" } = stack.environment;
  const person = () => signUp(SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY);
  const hostile = await person();
  const { users, heavy } = await fill(
    sql,
    hostile,
    await Promise.all(Array.from({ length: USERS }, person)),
  );
  const { data } = await hostile.client.auth.getSession();
  worker.postMessage(
    {
      url: SUPABASE_URL,
      key: SUPABASE_PUBLISHABLE_KEY,
      hostile: { id: hostile.id, token: data.session?.access_token ?? "" },
      projects: users.map(({ project }) => project),
      heavy,
      messages: ROWS,
    } satisfies Setting,
  );
  const repeat = (habit: string) =>
    new Promise<void>((resolve, reject) => {
      worker.onmessage = () => resolve();
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage({ habit, milliseconds: TURN_MS } satisfies Turn);
    });
  say(`95th percentile of users' requests: alone, and beside a neighbour who repeats ...\n`);
  for (const { name } of [ORDINARY, ...ATTACKS].filter(({ name }) => name.includes(ONLY))) {
    const alone: number[] = [];
    const beside: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      alone.push(await turn(users));
      beside.push(await turn(users, () => repeat(name)));
    }
    const reached = percentile(beside.map((ms, round) => ms / (alone[round] ?? NaN)), 0.5);
    const missed = name !== ORDINARY.name && reached > AIM ? " MISSED" : "";
    say(
      `${name.padEnd(48)} ${percentile(alone, 0.5).toFixed(1).padStart(7)} ms ${
        percentile(beside, 0.5).toFixed(1).padStart(7)
      } ms  x${reached.toFixed(2)}, aim x${AIM.toFixed(2)}${missed}`,
    );
  }
} finally {
  worker.terminate();
  await sql.end();
  await stack.stop();
  await Deno.remove(dir, { recursive: true });
}

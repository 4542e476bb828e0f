/**
 * What one hostile account does to another user: the 95th percentile of users' requests while a neighbour repeats
 * something heavy, compared with the same requests while nobody else is there, and with a neighbour who repeats an
 * ordinary request. Over HTTP, against a whole stack.
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
  invoke,
  live,
  percentile,
  type Person,
  signUp,
  type User,
  USERS,
} from "./ordinary_users.ts";
import { DURABLE, SCALE } from "./throughput.ts";

/** Turns of each attack, each after a turn without it. The median counts. */
const ROUNDS = 5;
const TURN_MS = Math.max(300, 3_000 * SCALE);
/** Messages of the hostile account, and half as many files. */
const ROWS = Math.max(100, Math.round(100_000 * SCALE));

/** The aim: at most this many times their own 95th percentile. */
const AIM = 1.5;

/** Who is there: the hostile account, and the users. */
interface Scene {
  hostile: Person;
  users: User[];
  /** Project of the hostile account, with all of its messages. */
  heavy: string;
}

/** Something that a neighbour repeats. */
interface Habit {
  name: string;
  run: (scene: Scene, n: number) => PromiseLike<unknown>;
}

const ordinary: Habit = {
  name: "an ordinary request",
  run: ({ hostile }) => hostile.client.from("profiles").select("id").limit(1),
};

const ATTACKS: Habit[] = [
  {
    name: "overwrites a file through its own upload URL",
    run: async ({ hostile: { id, client } }, n) => {
      const bucket = client.storage.from("app_storage");
      const path = `${id}/again-${n % 10}.txt`;
      const { data } = await bucket.createSignedUploadUrl(path, { upsert: true });
      if (data) await bucket.uploadToSignedUrl(path, data.token, "x".repeat(1_000_000));
    },
  },
  {
    name: "reserves uploads",
    run: ({ hostile }, n) =>
      invoke(hostile, "files/uploads", {
        bucket: "app_storage",
        name: `${n}.png`,
        size: 1,
        content_type: "image/png",
      }),
  },
  {
    name: "clones a large project",
    run: ({ hostile, heavy }) => invoke(hostile, `projects/${heavy}/clone`, {}),
  },
  {
    name: "clones the user's project",
    run: ({ hostile, users }, n) =>
      invoke(hostile, `projects/${users[n % USERS]?.project}/clone`, {}),
  },
  {
    name: "writes messages into the user's project",
    run: ({ hostile, users }, n) =>
      hostile.client.from("messages").insert({
        project_id: users[n % USERS]?.project,
        role: "user",
        content: "mine",
        sequence_number: 1 + n,
      }),
  },
  {
    name: "saves messages far ahead",
    run: ({ hostile, heavy }, n) =>
      invoke(hostile, `projects/${heavy}/messages`, {
        messages: [{ role: "user", content: "far", sequence_number: ROWS + 90 * (n + 1) }],
      }),
  },
  {
    name: "saves batches of large messages",
    run: ({ hostile, heavy }) =>
      invoke(hostile, `projects/${heavy}/messages`, {
        messages: Array.from({ length: 20 }, () => ({ role: "user", content: "x".repeat(50_000) })),
      }),
  },
  {
    name: "sends 400,000 wraps",
    run: ({ hostile }) =>
      invoke(hostile, "chats/keys", { wraps: Array.from({ length: 400_000 }, () => 0) }, "PUT"),
  },
  {
    name: "sends content nested 50,000 deep",
    run: ({ hostile, heavy }) =>
      hostile.client.functions.invoke(`projects/${heavy}/messages`, {
        body: `{"messages":[{"role":"user","content":${"[".repeat(50_000)}${"]".repeat(50_000)}}]}`,
        headers: { "content-type": "application/json" },
      }),
  },
  {
    name: "counts its messages",
    run: ({ hostile }) =>
      hostile.client.from("messages").select("id", { count: "exact", head: true }),
  },
  {
    name: "reads its newest messages",
    run: ({ hostile }) =>
      hostile.client.from("messages").select("*").order("created_at", { ascending: false }).limit(
        1000,
      ),
  },
  {
    name: "searches for a word of every message",
    run: ({ hostile }) => hostile.client.rpc("search_messages", { query: "common" }),
  },
  {
    name: "inserts tasks by the thousand",
    run: ({ hostile }) =>
      hostile.client.from("tasks").insert(
        Array.from({ length: 1_000 }, () => ({ user_id: hostile.id, title: "t" })),
      ),
  },
  {
    name: "fills the waitlist",
    run: ({ hostile }, n) =>
      hostile.client.from("waitlist").insert({ email: `${n}-${crypto.randomUUID()}@example.com` }),
  },
  {
    name: "invites strangers",
    run: ({ hostile }, n) => hostile.client.rpc("create_team", { name: `Team ${n}` }),
  },
];

async function fill(sql: Sql, hostile: Person, people: Person[]): Promise<Scene> {
  const heavy = crypto.randomUUID();
  await addProject(sql, heavy, hostile.id, ROWS, false);
  const users = await Promise.all(people.map((person) => addUser(sql, person)));
  await sql`insert into storage.objects (bucket_id, name, owner_id, metadata)
    select 'app_storage', ${hostile.id} || '/f' || n, ${hostile.id}, '{"size": 100}'
    from generate_series(1, ${Math.round(ROWS / 2)}::int) as n`;
  await sql`analyze`;
  return { hostile, users, heavy };
}

/** The 95th percentile of the user's requests during one turn, in milliseconds. */
async function turn(scene: Scene, habit?: Habit): Promise<number> {
  const end = performance.now() + TURN_MS;
  const times: number[] = [];
  const neighbour = (async () => {
    for (let n = 0; habit && performance.now() < end; n++) await habit.run(scene, n);
  })();
  for (let n = 0; performance.now() < end; n++) {
    times.push(...await live(scene.users[n % USERS] as User));
  }
  await neighbour;
  return percentile(times, 0.95);
}

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
  const scene = await fill(sql, hostile, await Promise.all(Array.from({ length: USERS }, person)));
  say(`95th percentile of users' requests: alone, and beside a neighbour who repeats ...\n`);
  for (const habit of [ordinary, ...ATTACKS]) {
    const alone: number[] = [];
    const beside: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      alone.push(await turn(scene));
      beside.push(await turn(scene, habit));
    }
    const reached = percentile(beside.map((ms, round) => ms / (alone[round] ?? NaN)), 0.5);
    const missed = habit !== ordinary && reached > AIM ? " MISSED" : "";
    say(
      `${habit.name.padEnd(48)} ${percentile(alone, 0.5).toFixed(1).padStart(7)} ms ${
        percentile(beside, 0.5).toFixed(1).padStart(7)
      } ms  x${reached.toFixed(2)}, aim x${AIM.toFixed(2)}${missed}`,
    );
  }
} finally {
  await sql.end();
  await stack.stop();
  await Deno.remove(dir, { recursive: true });
}

/**
 * What an export of a heavy account does to other users: the 95th percentile of their requests beside it, compared with
 * the same requests without it. And how long the export takes, and whether all is in it.
 *
 * SCALE=1 is a user with 100,000 messages, 2,000 files and 5,000 encrypted chats; the default is 0.02. The scheduler
 * of the stack starts the cleanup that makes the archive once a minute, as pg_cron does.
 *
 * @module
 */

import { createClient } from "@supabase/supabase-js";
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
import { DURABLE } from "./throughput.ts";

const SCALE = Number(Deno.env.get("SCALE") ?? "0.02");
const MESSAGES = Math.round(100_000 * SCALE);
const FILES = Math.round(2_000 * SCALE);
const CHATS = Math.round(5_000 * SCALE);
const FILE_BYTES = 10_000;
/** How long the others are watched without the export, before it and after it. */
const QUIET_MS = Math.max(3_000, 20_000 * SCALE);

/** The aim: at most this many times their own 95th percentile. */
const AIM = 1.3;

async function fill(sql: Sql, heavy: Person, files: ReturnType<typeof createClient>) {
  await addProject(sql, crypto.randomUUID(), heavy.id, MESSAGES, false);
  // Without triggers: what the rows contain does not matter here.
  await sql.begin(async (transaction) => {
    await transaction`set local session_replication_role = replica`;
    await transaction`insert into encrypted_chats (user_id, encrypted_data, sync_sequence)
      select ${heavy.id}, repeat(md5(n::text), 40), n from generate_series(1, ${CHATS}::int) as n`;
  });
  const bytes = new Uint8Array(FILE_BYTES);
  for (let file = 0; file < FILES; file += 20) {
    await Promise.all(Array.from({ length: Math.min(20, FILES - file) }, async (_, n) => {
      const { error } = await files.storage.from("voice_recordings")
        .upload(`${heavy.id}/${file + n}.wav`, bytes, { contentType: "audio/wav" });
      if (error) throw error;
    }));
  }
  await sql`analyze`;
}

/** The times of the users' requests until something is over, in milliseconds. */
async function watch(users: User[], isOver: () => boolean): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; !isOver(); n++) times.push(...await live(users[n % USERS] as User));
  return times;
}

const quiet = (users: User[]) => {
  const end = performance.now() + QUIET_MS;
  return watch(users, () => performance.now() >= end);
};

const dir = await Deno.makeTempDir({ prefix: "strongroom-bench-" });
await Deno.chmod(dir, 0o755);
const stack = await startStack(
  { ...await readOptions(), dir, ...freePorts() },
  { report: noReport, log: () => {}, watch: false, durable: DURABLE, schedule: true },
);
const sql = connect(stack.access, "supabase_admin");
try {
  const {
    SUPABASE_URL = "",
    SUPABASE_PUBLISHABLE_KEY = "",
    SUPABASE_SECRET_KEY = "",
  } = stack.environment;
  const person = () => signUp(SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY);
  const heavy = await person();
  await fill(sql, heavy, createClient(SUPABASE_URL, SUPABASE_SECRET_KEY));
  const people = await Promise.all(Array.from({ length: USERS }, person));
  const users = await Promise.all(people.map((each) => addUser(sql, each)));
  const without = await quiet(users);

  const started = await heavy.client.functions.invoke("account/export", { method: "POST" });
  if (started.error) throw started.error;
  const start = performance.now();
  let done = false;
  const exporting = (async () => {
    for (let state = "queued"; ["queued", "running"].includes(state);) {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const { data, error } = await heavy.client.functions.invoke("account/export?limit=1", {
        method: "GET",
      });
      if (error) throw error;
      state = data.state;
    }
  })().finally(() => done = true);
  const beside = await watch(users, () => done);
  await exporting;
  const seconds = (performance.now() - start) / 1000;
  without.push(...await quiet(users));

  const { data } = await heavy.client.functions.invoke("account/export?limit=1", { method: "GET" });
  const { state, tables, files } = data;
  say(
    `${MESSAGES} messages, ${FILES} files, ${CHATS} encrypted chats: ${state} in ${
      seconds.toFixed(0)
    } s, ${tables["public.messages"]} messages, ${files} files, ${
      tables["public.encrypted_chats"]
    } encrypted chats`,
  );
  const [alone, now] = [percentile(without, 0.95), percentile(beside, 0.95)];
  say(
    `95th percentile of other users' requests: ${alone.toFixed(1)} ms without, ${
      now.toFixed(1)
    } ms beside it  x${(now / alone).toFixed(2)}, aim x${AIM.toFixed(2)}${
      now / alone > AIM ? " MISSED" : ""
    }`,
  );
} finally {
  await sql.end();
  await stack.stop();
  await Deno.remove(dir, { recursive: true });
}

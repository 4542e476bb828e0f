/**
 * Syncs while many writers commit at random times, and checks that no change is missed. With a plain sequence instead
 * of the counter, changes would be missed: a second test shows that.
 */

import assert from "node:assert/strict";
import postgres from "postgres";

import { envelope } from "../../functions/_testing/envelope.ts";
import {
  signUp,
  soak,
  stack,
  test,
  type TestUser,
  withDatabase,
} from "../../functions/_testing/testing.ts";

const WRITERS = 50;
const CHATS_PER_WRITER = Math.ceil(4 * soak);

test("a sync misses nothing that 50 writers commit in random order", async () => {
  const user = await signUp();
  const { written, deleted, seen } = await writeAndSync(user);
  assert.equal(written.size, WRITERS * CHATS_PER_WRITER);
  assert.deepEqual(missed(written, deleted, seen), []);
});

test("with a plain sequence in place of the counter, the same sync misses changes", async () => {
  const user = await signUp();
  await withDatabase(async (sql) => {
    const functions = await sql<{ definition: string }[]>`
      select pg_get_functiondef(oid) as definition from pg_proc
      where oid in ('private.lock_chat_owner'::regproc, 'private.number_chat_change'::regproc)`;
    await sql`insert into private.chat_owners (user_id, sync_sequence) values (${user.id}, 1000000)`;
    // The count of a user's chats would make the second writer wait, as the counter does.
    await sql.unsafe(`
      alter table public.encrypted_chats disable trigger count_added_rows;
      create sequence private.plain_sequence;
      create or replace function private.lock_chat_owner(user_id uuid) returns private.chat_owners
      language sql volatile set search_path = '' as $$
        select o from private.chat_owners as o where o.user_id = lock_chat_owner.user_id
      $$;
      create or replace function private.number_chat_change(user_id uuid, added_bytes bigint) returns bigint
      language sql volatile set search_path = '' as $$ select nextval('private.plain_sequence') $$`);
    const [first, second] = [crypto.randomUUID(), crypto.randomUUID()];
    const device = deviceOf(user);
    const late = postgres(stack.dbUrl, { max: 1, onnotice: () => {} });
    try {
      await late.begin(async (transaction) => {
        await transaction`select save_chat(${user.id}, ${first}, 0, ${envelope()})`;
        // Takes the next number, and commits before the first writer does.
        await sql`select save_chat(${user.id}, ${second}, 0, ${envelope()})`;
        await device.sync();
      });
      await device.sync();
      assert.deepEqual([...device.seen.keys()], [second]);
    } finally {
      await late.end();
      for (const { definition } of functions) await sql.unsafe(definition);
      await sql.unsafe(`
        alter table public.encrypted_chats enable trigger count_added_rows;
        drop sequence private.plain_sequence`);
    }
  });
});

/** The last state of each chat that a device has seen: its version, or that it is deleted. */
type Seen = Map<string, number | "deleted">;

/** A device. Each sync continues from its cursor. */
function deviceOf(user: TestUser): { seen: Seen; sync(): Promise<void> } {
  const seen: Seen = new Map();
  let cursor: string | undefined;
  const sync = async () => {
    for (let more = true; more;) {
      const { data, error } = await user.client.rpc("sync_chats", {
        limit: 20,
        ...(cursor !== undefined && { cursor }),
      });
      if (error) throw error;
      for (const change of data.changes as { id: string; deleted: boolean; version: number }[]) {
        seen.set(change.id, change.deleted ? "deleted" : change.version);
      }
      cursor = data.cursor as string;
      more = data.has_more as boolean;
    }
  };
  return { seen, sync };
}

/** Runs writers that save chats, save them again and delete some, and wait before they commit. */
async function writeAndSync(
  user: TestUser,
): Promise<{ written: Map<string, number>; deleted: Set<string>; seen: Seen }> {
  const written = new Map<string, number>();
  const deleted = new Set<string>();
  const { seen, sync } = deviceOf(user);
  const pool = postgres(stack.dbUrl, { max: WRITERS, onnotice: () => {} });
  const pause = (sql: postgres.TransactionSql) => sql`select pg_sleep(random() * 0.01)`;

  const write = async () => {
    for (let chat = 0; chat < CHATS_PER_WRITER; chat++) {
      const id = crypto.randomUUID();
      await pool.begin(async (sql) => {
        await sql`select save_chat(${user.id}, ${id}, 0, ${envelope()})`;
        await pause(sql);
      });
      written.set(id, 1);
      await pool.begin(async (sql) => {
        if (Math.random() < 0.3) {
          await sql`select delete_chat(${user.id}, ${id})`;
          deleted.add(id);
        } else {
          await sql`select save_chat(${user.id}, ${id}, 1, ${envelope()})`;
          written.set(id, 2);
        }
        await pause(sql);
      });
    }
  };
  try {
    let writing = true;
    const writers = Promise.all(Array.from({ length: WRITERS }, write))
      .finally(() => writing = false);
    while (writing) await sync();
    await writers;
    await sync();
  } finally {
    await pool.end();
  }
  return { written, deleted, seen };
}

function missed(written: Map<string, number>, deleted: Set<string>, seen: Seen): string[] {
  return [...written].filter(([id, version]) => {
    const state = seen.get(id);
    // A chat that was deleted before the device saw it need not appear.
    return deleted.has(id) ? state !== undefined && state !== "deleted" : state !== version;
  }).map(([id]) => id);
}

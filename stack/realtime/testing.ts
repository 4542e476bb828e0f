/**
 * What the tests of Realtime share: tables in the publication, clients, and channels that keep what they hear.
 *
 * @module
 */

import {
  createClient,
  type RealtimeChannel,
  type RealtimeChannelOptions,
  type SupabaseClient,
} from "@supabase/supabase-js";
import postgres, { type Sql } from "postgres";

import { stack, type TestStack, until } from "../../supabase/functions/_testing/testing.ts";

/** What a channel has heard. */
export interface Heard {
  channel: RealtimeChannel;
  /** Everything that its callbacks received. */
  // deno-lint-ignore no-explicit-any -- each test asserts what it expects
  events: any[];
  /** The statuses that `subscribe()` reported, and the messages of its errors. */
  statuses: string[];
  errors: string[];
  /** Messages of the server about the channel. */
  system: { status: string; message: string; extension: string }[];
}

/**
 * Runs a test with a connection to the database and a way to create clients, and cleans up.
 *
 * @param run The test. `connect()` returns a client of the user whose token it is given, or of nobody.
 * A function returns the token that is in force.
 */
export async function withRealtime(
  run: (sql: Sql, connect: (token?: string | (() => string)) => SupabaseClient) => Promise<void>,
  of: TestStack = stack,
): Promise<void> {
  const sql = postgres(of.dbUrl, { max: 2, onnotice: () => {} });
  const clients: SupabaseClient[] = [];
  const connect = (token?: string | (() => string)) => {
    const client = createClient(of.url, of.publishableKey, {
      auth: { persistSession: false, autoRefreshToken: false },
      realtime: { reconnectAfterMs: () => 50 },
      ...(token && {
        accessToken: () => Promise.resolve(typeof token === "string" ? token : token()),
      }),
    });
    clients.push(client);
    return client;
  };
  try {
    await run(sql, connect);
  } finally {
    for (const client of clients) await client.realtime.disconnect();
    await sql.end();
  }
}

/** Runs a test with a table of notes, of which everybody sees the own ones. One of its columns is for the service only. */
export async function withNotes(
  run: (table: string) => Promise<void>,
  of: TestStack = stack,
): Promise<void> {
  const table = `notes_${crypto.randomUUID().slice(0, 8)}`;
  await execute(
    of,
    `create table public.${table} (
      id integer primary key, owner_id uuid not null, title text, amount numeric, at timestamptz,
      tags text[], data jsonb, secret text, done boolean);
    alter table public.${table} enable row level security;
    revoke all on public.${table} from anon, authenticated;
    grant select (id, owner_id, title, amount, at, tags, data, done) on public.${table} to authenticated;
    create policy "owners read their notes" on public.${table} for select to authenticated
      using (owner_id = (select auth.uid()));
    alter publication supabase_realtime add table public.${table};`,
  );
  try {
    await run(table);
  } finally {
    await execute(of, `drop table public.${table}`);
  }
}

/** On a connection of its own, because a test may have killed the others. */
async function execute(of: TestStack, statements: string): Promise<void> {
  const sql = postgres(of.dbUrl, { max: 1, onnotice: () => {} });
  await sql.unsafe(statements).simple();
  await sql.end();
}

/** Subscribes a channel, and waits until it hears. */
export async function listen(
  client: SupabaseClient,
  name: string,
  options: RealtimeChannelOptions["config"],
  add: (channel: RealtimeChannel, heard: Heard["events"]) => void,
): Promise<Heard> {
  const heard = await start(client, name, options, add);
  await until(() => heard.statuses.includes("SUBSCRIBED"));
  return heard;
}

/** Subscribes a channel, without waiting. Before that the client learns its token, which otherwise comes too late for the join. */
export async function start(
  client: SupabaseClient,
  name: string,
  options: RealtimeChannelOptions["config"],
  add: (channel: RealtimeChannel, heard: Heard["events"]) => void = () => {},
): Promise<Heard> {
  await client.realtime.setAuth();
  const channel = client.channel(name, { config: options });
  const heard: Heard = { channel, events: [], statuses: [], errors: [], system: [] };
  add(channel, heard.events);
  channel.on("system", {}, (message) => heard.system.push(message));
  channel.subscribe((status, error) => {
    heard.statuses.push(status);
    if (error) heard.errors.push(error.message);
  });
  return heard;
}

/** Subscribes to changes of a table. */
export async function listenToChanges(
  client: SupabaseClient,
  table: string,
  options: { event?: string; filter?: string; name?: string } = {},
): Promise<Heard> {
  const { event = "*", filter, name = crypto.randomUUID() } = options;
  return await listen(client, name, {}, (channel, heard) => {
    channel.on(
      "postgres_changes" as "system",
      { event, schema: "public", table, ...(filter && { filter }) },
      (change) => heard.push(change),
    );
  });
}

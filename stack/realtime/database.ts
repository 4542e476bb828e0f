/**
 * The database as Realtime uses it: subscriptions, the rights on private channels, and what was committed.
 *
 * @module
 */

// @deno-types="@types/pg"
import { Client } from "pg";

import { type DatabaseAccess, databaseUrl } from "../postgres.ts";
import { type Change, replicate, type Replication } from "./replication.ts";
import type { Subscription } from "./subscriptions.ts";
import type { Claims } from "./tokens.ts";

/** What a member of a private channel may do. */
export interface Rights {
  broadcast_read: boolean;
  presence_read: boolean;
  broadcast_write: boolean;
  presence_write: boolean;
}

/** A message that was inserted into `realtime.messages`. */
export interface DatabaseMessage {
  topic: string;
  private: boolean;
  event: string;
  payload: unknown;
  id: string;
}

/** Who receives what. */
export interface Receivers {
  /** Receives a change for the subscriptions with these ids. */
  change(ids: number[], data: Record<string, unknown>): void;
  message(message: DatabaseMessage): void;
  /** Is told once that the connection is lost. */
  lost(): void;
}

/** The open database. */
export interface RealtimeDatabase {
  /** Replaces subscriptions, at one moment. Returns once they are in force. */
  subscribe(subscriptions: Map<number, Subscription>, claims: Claims): Promise<void>;
  unsubscribe(ids: number[]): void;
  rights(topic: string, claims: Claims, headers: Record<string, string>): Promise<Rights>;
  close(): Promise<void>;
}

/** Bytes of a record from which only its short fields are sent. */
const MAX_RECORD_BYTES = 1024 * 1024;
const SHORT_BYTES = 64;

/** Milliseconds between two looks at the partitions of the messages. */
const PARTITIONS_MS = 3_600_000;

/** Milliseconds after which a connection or a query fails. */
const TIMEOUT_MS = 8_000;

/**
 * Opens the database. Delivers what is committed from then on.
 *
 * @throws if it cannot be reached.
 */
export async function openDatabase(
  access: DatabaseAccess,
  receivers: Receivers,
): Promise<RealtimeDatabase> {
  const client = new Client({
    connectionString: databaseUrl(access, "supabase_admin"),
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
    application_name: "realtime",
  });
  const parts: (() => unknown)[] = [];
  let open = true;
  const close = async () => {
    if (!open) return;
    open = false;
    await Promise.all(parts.map((end) => end()));
  };
  const lose = () => {
    if (!open) return;
    close();
    receivers.lost();
  };
  client.on("error", lose);
  client.on("end", lose);
  parts.push(() => client.end().catch(() => {}));
  try {
    await client.connect();
    await client.query("set timezone to 'UTC'");
    await client.query("select _stack.realtime_prepare()");
    await client.query("select _stack.realtime_partitions()");
    const { rows: [{ wal_level }] } = await client.query("show wal_level");
    const missing = wal_level === "logical"
      ? undefined
      : `postgres_changes and messages from the database are not available here: they need wal_level = logical, and it is ${wal_level}`;
    const watch = async (publication: string, receive: (change: Change) => void) => {
      const { rowCount } = await client.query("select from pg_publication where pubname = $1", [
        publication,
      ]);
      if (missing || !rowCount) return;
      const replication: Replication = await replicate(access, publication, receive);
      replication.ended.then(lose);
      parts.push(() => replication.stop());
    };
    const subscribed = new Set<number>();
    await watch("supabase_realtime", (change) => {
      if (subscribed.size > 0) deliver(client, change, receivers.change).catch(lose);
    });
    await watch("supabase_realtime_messages_publication", ({ action, row }) => {
      if (action === "INSERT" && row?.extension === "broadcast") receivers.message(toMessage(row));
    });
    const partitions = setInterval(
      () => client.query("select _stack.realtime_partitions()").catch(lose),
      PARTITIONS_MS,
    );
    parts.push(() => clearInterval(partitions));
    return {
      async subscribe(subscriptions, claims) {
        if (missing) throw new Error(missing);
        const ids = [...subscriptions.keys()];
        for (const id of ids) subscribed.add(id);
        // The client sends queries in this order, with no other between them.
        const results = await Promise.allSettled([
          client.query("delete from pg_temp.subscription where id = any ($1)", [ids]),
          ...[...subscriptions].map(([id, one]) => addSubscription(client, id, one, claims)),
        ]);
        const failed = results.find((result) => result.status === "rejected");
        if (failed) {
          await client.query("delete from pg_temp.subscription where id = any ($1)", [ids]);
          throw failed.reason;
        }
      },
      unsubscribe(ids) {
        for (const id of ids) subscribed.delete(id);
        if (!open || ids.length === 0) return;
        client.query("delete from pg_temp.subscription where id = any ($1)", [ids]).catch(lose);
      },
      async rights(topic, claims, headers) {
        const { rows: [rights] } = await client.query(
          "select * from _stack.realtime_rights($1, $2, $3, $4)",
          [topic, claims.role, claims, headers],
        );
        return rights;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function addSubscription(
  client: Client,
  id: number,
  { event, schema, table, filters, columns }: Subscription,
  claims: Claims,
): Promise<void> {
  const described = `[event: ${event}, schema: ${schema}, table: ${table}, filters: ${
    JSON.stringify(filters)
  }]`;
  let count = 0;
  try {
    const { rows } = await client.query(
      "select _stack.realtime_subscribe($1, $2, $3, $4, $5, $6, $7, $8) as count",
      [id, event, schema, table, JSON.stringify(filters), columns, claims.role, claims],
    );
    count = rows[0].count;
  } catch (error) {
    throw new Error(
      `Unable to subscribe to changes with given parameters. An exception happened so please check your connect parameters: ${described}. Exception: ${
        (error as Error).message
      }`,
    );
  }
  if (count === 0) {
    throw new Error(
      `Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect parameters: ${described}`,
    );
  }
}

/** Asks the database who may see a change. The client answers in the order of the questions. */
async function deliver(client: Client, change: Change, send: Receivers["change"]): Promise<void> {
  const { schema, table, action, committedAt } = change;
  const { row = change.old ?? {}, old = {} } = change;
  const present = (columns: object) =>
    Object.entries(columns).filter(([, value]) => value !== undefined);
  const values = present(row);
  const olds = present(old);
  const names = (list: [string, unknown][]) => list.map(([name]) => name);
  const texts = (list: [string, unknown][]) => list.map(([, value]) => value);
  const { rows } = await client.query({
    name: "change",
    text: "select * from _stack.realtime_change($1, $2, $3, $4, $5, $6, $7)",
    values: [schema, table, action, names(values), texts(values), names(olds), texts(olds)],
  });
  for (const { ids, error, columns, record, old_record } of rows) {
    if (error) {
      send(ids, { schema, table, type: action, errors: [error] });
      continue;
    }
    const data = {
      schema,
      table,
      type: action,
      commit_timestamp: new Date(committedAt).toISOString(),
      columns,
      ...(action !== "DELETE" && { record }),
      ...(action !== "INSERT" && { old_record }),
      errors: null,
    };
    send(ids, JSON.stringify(data).length > MAX_RECORD_BYTES ? shortened(data) : data);
  }
}

function shortened(data: Record<string, unknown>): Record<string, unknown> {
  const short = (record: unknown) =>
    Object.fromEntries(
      Object.entries(record ?? {}).filter(([, value]) =>
        JSON.stringify(value).length <= SHORT_BYTES
      ),
    );
  return {
    ...data,
    ...("record" in data && { record: short(data.record) }),
    ...("old_record" in data && { old_record: short(data.old_record) }),
    errors: ["Error 413: Payload Too Large"],
  };
}

function toMessage(row: Record<string, string | null | undefined>): DatabaseMessage {
  return {
    topic: row.topic ?? "",
    private: row.private === "t",
    event: row.event ?? "",
    payload: JSON.parse(row.payload ?? "null"),
    id: row.id ?? "",
  };
}

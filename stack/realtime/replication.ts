/**
 * Reads what was committed to the tables of a publication from the database's own logical decoding.
 *
 * @module
 */

import { Buffer } from "node:buffer";
// @deno-types="@types/pg"
import { Client, type Connection } from "pg";
import { Pgoutput, PgoutputPlugin } from "pg-logical-replication";

import { type DatabaseAccess, databaseUrl } from "../postgres.ts";

/** A row's columns by name, as PostgreSQL's text. A large value that an update did not change is undefined. */
export type Row = Record<string, string | null | undefined>;

/** A change of one row. */
export interface Change {
  schema: string;
  table: string;
  action: "INSERT" | "UPDATE" | "DELETE";
  /** The new row, except for DELETE. */
  row?: Row;
  /** The old row, or the part of it that identifies it. */
  old?: Row;
  /** Milliseconds since 1970. */
  committedAt: number;
}

/** A running replication. */
export interface Replication {
  /** Resolves when it has ended, whatever the reason. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Replicates from now on. The replication slot is temporary: it ends with the connection, and keeps no WAL.
 *
 * @param access The database.
 * @param publication The publication.
 * @param receive Receives the changes in the order of their commits.
 * @throws if the database cannot be reached, or has no logical decoding.
 */
export async function replicate(
  access: DatabaseAccess,
  publication: string,
  receive: (change: Change) => void,
): Promise<Replication> {
  const client = new Client({
    connectionString: databaseUrl(access, "supabase_admin"),
    ...{ replication: "database" },
  });
  const ended = Promise.withResolvers<void>();
  client.on("error", () => ended.resolve());
  client.on("end", () => ended.resolve());
  await client.connect();
  try {
    const slot = `realtime_${crypto.randomUUID().replaceAll("-", "")}`;
    const { rows: [created] } = await client.query(
      `CREATE_REPLICATION_SLOT ${slot} TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT`,
    );
    const { connection } = client as unknown as { connection: Connection };
    const plugin = new PgoutputPlugin({ protoVersion: 1, publicationNames: [publication] });
    const read = reader(plugin, receive);
    connection.on("copyData", ({ chunk }: { chunk: Buffer }) => {
      if (chunk[0] === WAL_DATA) read(chunk.subarray(25));
      // The server asks before it ends a connection that seems dead, and before it shuts down.
      if (chunk[0] === KEEPALIVE && chunk[17]) acknowledge(connection, chunk.subarray(1, 9));
    });
    const started = Promise.withResolvers<void>();
    connection.once("replicationStart", started.resolve);
    const streaming = plugin.start(client, slot, created.consistent_point);
    streaming.catch(() => {}).finally(ended.resolve);
    await Promise.race([started.promise, streaming]);
  } catch (error) {
    await client.end().catch(() => {});
    throw error;
  }
  return {
    ended: ended.promise,
    async stop() {
      // Not end(), which waits for the stream.
      (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream
        .destroy();
      ended.resolve();
      await ended.promise;
    },
  };
}

/** First bytes of the server's messages in a replication. */
const WAL_DATA = 0x77;
const KEEPALIVE = 0x6b;

/** Tells the server that everything up to a position was received. */
function acknowledge(connection: Connection, position: Buffer): void {
  const message = Buffer.alloc(34);
  message[0] = "r".charCodeAt(0);
  for (const offset of [1, 9, 17]) position.copy(message, offset);
  const microseconds = BigInt(Date.now() - Date.UTC(2000, 0, 1)) * 1000n;
  message.writeBigInt64BE(microseconds, 25);
  (connection as unknown as { sendCopyFromChunk(chunk: Buffer): void }).sendCopyFromChunk(message);
}

/** Turns the plugin's messages into changes. */
function reader(
  plugin: PgoutputPlugin,
  receive: (change: Change) => void,
): (message: Buffer) => void {
  let committedAt = 0;
  return (buffer) => {
    const message = plugin.parse(buffer) as Pgoutput.Message;
    switch (message.tag) {
      case "begin":
        return void (committedAt = Number(BigInt(message.commitTime.toString()) / 1000n));
      case "relation":
        // The database itself turns the text into JSON.
        for (const column of message.columns) column.parser = (text) => text;
        return;
      case "insert":
      case "update":
      case "delete":
        return receive({
          schema: message.relation.schema,
          table: message.relation.name,
          action: message.tag.toUpperCase() as Change["action"],
          ...(message.tag !== "delete" && { row: message.new }),
          ...(message.tag !== "insert" && { old: message.old ?? message.key ?? {} }),
          committedAt,
        });
    }
  };
}

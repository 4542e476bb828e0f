/**
 * For tests: generates the database of a product in its documented shape, and runs the command on it.
 *
 * @module
 */

import postgres, { type Sql } from "postgres";

import { stack } from "../supabase/functions/_testing/testing.ts";
import type { Report } from "./report.ts";

/** The database of a product. */
export interface TestSource {
  url: string;
  sql: Sql;
}

const shape = (name: string) =>
  Deno.readTextFileSync(new URL(`shapes/${name}.sql`, import.meta.url));

/**
 * Generates a database of a product on the server of the stack, and removes it afterwards.
 *
 * @param product The product.
 * @param users How many users it has.
 * @param run Uses the database.
 */
export async function withSource(
  product: string,
  users: number,
  run: (source: TestSource) => Promise<void>,
): Promise<void> {
  const name = `source_${product}_${crypto.randomUUID().slice(0, 8)}`;
  const admin = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  const url = Object.assign(new URL(stack.adminDbUrl), { pathname: `/${name}` }).href;
  await admin.unsafe(`create database ${name}`);
  const sql = postgres(url, { max: 1, onnotice: () => {}, connection: { TimeZone: "UTC" } });
  try {
    await sql.unsafe(`set generate.users = ${users}`).simple();
    await sql.unsafe(shape("platform")).simple();
    await sql.unsafe(shape(product)).simple();
    await sql`analyze`;
    await run({ url, sql });
  } finally {
    // Other tests of this stack must not see what was moved in.
    const users = (await sql`select id from auth.users`).map(({ id }) => id);
    const [has] = await sql`select to_regclass('public.teams') is not null as teams`;
    const teams = has?.teams ? (await sql`select id from public.teams`).map(({ id }) => id) : [];
    await admin`delete from auth.users where id = any (${users})`;
    await admin`select private.clean_up_at_once('deleted_accounts')`;
    await admin`delete from public.teams where id = any (${teams})`;
    await sql.end();
    await admin.unsafe(`drop database ${name} with (force)`);
    await admin`delete from private.imports where product = ${product}`;
    await admin`delete from private.import_refusals where product = ${product}`;
    await admin.end();
  }
}

/** Makes a folder for the duration of a test. */
export async function withFolder(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "strongroom-import-" });
  try {
    await run(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** What the command has done. */
export interface Ended {
  code: number;
  output: string;
  /** The report; undefined if the command has not written any. */
  report: Report | undefined;
}

/**
 * Starts the command.
 *
 * @param args Its arguments.
 * @param environment Environment variables in addition to those of the stack.
 */
export function startImport(
  args: string[],
  environment: Record<string, string> = {},
): Deno.ChildProcess {
  const script = new URL("main.ts", import.meta.url).pathname;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", decodeURIComponent(script), ...args],
    env: environment,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/**
 * Runs the command until it ends.
 *
 * @param args Its arguments.
 * @param environment Environment variables in addition to those of the stack.
 */
export async function runImport(
  args: string[],
  environment: Record<string, string> = {},
): Promise<Ended> {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  try {
    const child = startImport([...args, "--report", file], environment);
    const { code, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    const text = await Deno.readTextFile(file);
    return {
      code,
      output: decoder.decode(stdout) + decoder.decode(stderr),
      report: text ? JSON.parse(text) : undefined,
    };
  } finally {
    await Deno.remove(file);
  }
}

/**
 * Writes each table of a database into a CSV file, as PostgreSQL does.
 *
 * @param sql The database.
 * @param dir The folder.
 */
export async function exportCsv(sql: Sql, dir: string): Promise<void> {
  const tables = await sql`
    select schemaname as schema, tablename as name from pg_tables
    where schemaname in ('public', 'auth', 'storage')`;
  for (const { schema, name } of tables) {
    const stream = await sql.unsafe(
      `copy (select * from ${schema}."${name}") to stdout with (format csv, header)`,
    ).readable();
    const chunks: Uint8Array[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    const file = schema === "public" ? name : `${schema}.${name}`;
    await Deno.writeFile(
      `${dir}/${file}.csv`,
      new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()),
    );
  }
}

/**
 * Applies the project's migrations and seed like the Supabase CLI, without the CLI.
 *
 * @module
 */

import type { PostgresError, Sql } from "postgres";

import { taskCommand } from "./command.ts";
import { lineOfError } from "./error_line.ts";
import { StackFailure } from "./failure.ts";
import { PROJECT_DIR } from "./options.ts";
import type { Report } from "./progress.ts";

/** One file of `supabase/migrations`. */
export interface Migration {
  /** The digits before the first underscore: the migration's identity. */
  version: string;
  name: string;
  file: string;
}

/** Folder of the migrations. */
export const MIGRATIONS_DIR = `${PROJECT_DIR}/supabase/migrations`;

/** Lists the project's migrations in the order in which they are applied. */
export function listMigrations(): Migration[] {
  return [...Deno.readDirSync(MIGRATIONS_DIR)]
    .flatMap(({ name: file }) => {
      const [, version, name] = file.match(/^(\d+)_(.*)\.sql$/) ?? [];
      return version && name ? [{ version, name, file }] : [];
    })
    .sort((a, b) => a.version < b.version ? -1 : 1);
}

/** Lists the files among the migrations that are not applied, because of their names. The CLI does not apply them either. */
export function ignoredMigrations(): string[] {
  const applied = listMigrations().map(({ file }) => file);
  return [...Deno.readDirSync(MIGRATIONS_DIR)].map(({ name }) => name)
    .filter((name) => !applied.includes(name) && !name.startsWith(".")).sort();
}

/**
 * Applies the migrations that the database does not have yet. Each runs in its own transaction, together with its row
 * in the CLI's history table, so that `supabase db push` finds nothing left to do.
 *
 * @param sql A connection as postgres, the role that the CLI uses.
 * @param report Receives each migration that is applied, and each file that is not one.
 * @throws {StackFailure} if a migration fails, or one of the history is missing in the folder.
 */
export async function applyMigrations(sql: Sql, report: Report): Promise<void> {
  await sql.unsafe(`
    create schema if not exists supabase_migrations;
    create table if not exists supabase_migrations.schema_migrations (version text primary key);
    alter table supabase_migrations.schema_migrations
      add column if not exists statements text[], add column if not exists name text;
  `).simple();
  const rows = await sql`select version from supabase_migrations.schema_migrations`;
  const applied = new Set(rows.map((row) => row.version as string));
  const migrations = listMigrations();
  for (const file of ignoredMigrations()) {
    report(`  Ignored: supabase/migrations/${file}, because its name is not DIGITS_NAME.sql`);
  }

  const unknown = [...applied].filter((version) => !migrations.some((m) => m.version === version));
  if (unknown.length > 0) {
    throw new StackFailure(
      `The database has migrations that are not in supabase/migrations: ${unknown.join(", ")}`,
      `Delete the data with: ${taskCommand("reset")}`,
    );
  }
  for (const migration of migrations.filter((m) => !applied.has(m.version))) {
    await applyOne(sql, migration);
    report(`  ${migration.file}`);
  }
}

async function applyOne(sql: Sql, migration: Migration): Promise<void> {
  const text = await Deno.readTextFile(`${MIGRATIONS_DIR}/${migration.file}`);
  try {
    await sql.begin(async (transaction) => {
      await transaction.unsafe(text).simple();
      await transaction`insert into supabase_migrations.schema_migrations (version, name, statements)
        values (${migration.version}, ${migration.name}, ${[text]})`;
    });
  } catch (error) {
    throw await sqlFailure(sql, `supabase/migrations/${migration.file}`, text, error);
  }
}

/**
 * Runs the seed files that `config.toml` names, once. Each runs in a transaction together with its row in the
 * CLI's table of seeds.
 *
 * @param sql A connection as postgres.
 * @param paths Paths relative to `supabase/`.
 */
export async function applySeed(sql: Sql, paths: string[]): Promise<void> {
  await sql.unsafe(`
    create table if not exists supabase_migrations.seed_files (path text primary key, hash text not null);
  `).simple();
  const rows = await sql`select path from supabase_migrations.seed_files`;
  const applied = new Set(rows.map((row) => row.path as string));
  for (const path of paths) {
    const file = `supabase/${path.replace(/^\.\//, "")}`;
    if (applied.has(file)) continue;
    const text = await Deno.readTextFile(`${PROJECT_DIR}/${file}`);
    try {
      await sql.begin(async (transaction) => {
        await transaction.unsafe(text).simple();
        await transaction`insert into supabase_migrations.seed_files (path, hash)
          values (${file}, encode(sha256(convert_to(${text}, 'UTF8')), 'hex'))`;
      });
    } catch (error) {
      throw await sqlFailure(sql, file, text, error);
    }
  }
}

async function sqlFailure(
  sql: Sql,
  file: string,
  text: string,
  error: unknown,
): Promise<StackFailure> {
  const line = await lineOfError(sql, text, error as PostgresError);
  return new StackFailure(
    `${file}${line ? `:${line}` : ""} failed: ${error instanceof Error ? error.message : error}`,
    "Fix the file, then start again. Nothing of this file was applied.",
    { cause: error },
  );
}

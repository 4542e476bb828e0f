/**
 * Turns an empty PostgreSQL into what a hosted project has before its first migration.
 *
 * @module
 */

import type { Sql } from "postgres";

import { taskCommand } from "./command.ts";
import { UNWRAP_JSON_COLUMNS_SQL } from "./adapters/json_columns.ts";
import { StackFailure } from "./failure.ts";
import { getAuthSchemaSql, getStorageSchemaSql } from "./supabase_lite.ts";

/**
 * Applies `platform.sql` with the tables of Auth and Storage, unless it was applied before.
 *
 * @param sql A connection as supabase_admin.
 * @param password The password of the services' roles.
 * @throws {StackFailure} if another version of `platform.sql` was applied before.
 */
export async function applyPlatform(sql: Sql, password: string): Promise<void> {
  await applyPlatformText(sql, await platformSql(), password);
}

/**
 * Like {@link applyPlatform}, with another text.
 *
 * @param sql A connection as supabase_admin.
 * @param text The text of {@link platformSql}, possibly changed.
 * @param password The password of the services' roles.
 */
export async function applyPlatformText(sql: Sql, text: string, password: string): Promise<void> {
  const digest = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)),
  ).toHex();

  const [existing] = await sql`select to_regclass('_stack.platform') is not null as applied`;
  if (!existing?.applied) {
    await sql.begin(async (transaction) => {
      await transaction.unsafe(text.replaceAll("{{services password}}", password)).simple();
      await transaction`insert into _stack.platform values (${digest})`;
    });
    return;
  }
  const [row] = await sql`select sha256 from _stack.platform`;
  if (row?.sha256 !== digest) {
    throw new StackFailure(
      "The data was created by another version of the local stack",
      `Delete the data with: ${taskCommand("reset")}`,
    );
  }
}

/** The text of the platform, with a placeholder for the password of the services' roles. */
export async function platformSql(): Promise<string> {
  const template = await Deno.readTextFile(new URL("platform.sql", import.meta.url));
  const realtime = await Deno.readTextFile(new URL("realtime/realtime.sql", import.meta.url));
  return template
    .replace("-- {{auth tables}}", () => withoutSchema(getAuthSchemaSql()))
    .replace("-- {{storage tables}}", () => withoutSchema(getStorageSchemaSql()))
    .replace("-- {{realtime}}", () => realtime)
    .concat(UNWRAP_JSON_COLUMNS_SQL);
}

// The schemas already exist, and the services' roles may not create any.
function withoutSchema(sql: string): string {
  return sql.replace(/^CREATE SCHEMA .*;$/gm, "");
}

/**
 * Keeps what adapters have read from PostgreSQL's catalog until the schema changes, as PostgREST does. Without that, each
 * request would read it again, one after another on the same connection.
 *
 * @module
 */

import type { Sql } from "postgres";

/**
 * Makes a reader of the catalog remember what it has found.
 *
 * @param sql A connection, which the caller closes. It listens for the platform's notifications of changes.
 * @param read Reads something by a key; undefined if there is nothing.
 * @returns The same reader, which reads what it has found only once.
 */
export async function rememberCatalog<T>(
  sql: Sql,
  read: (key: string) => Promise<T | undefined>,
): Promise<(key: string) => Promise<T | undefined>> {
  let found = new Map<string, T>();
  await sql.listen("pgrst", () => {
    found = new Map();
  });
  return async (key) => {
    // A read that is in progress during a change must not be kept.
    const current = found;
    const known = current.get(key);
    if (known !== undefined) return known;
    const value = await read(key);
    if (value !== undefined) current.set(key, value);
    return value;
  };
}

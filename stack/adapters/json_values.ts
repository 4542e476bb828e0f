/**
 * PostgREST passes the JSON values of columns and arguments on unchanged. `@supabase/lite` does not (seen in 0.10.0): it
 * parses a string that is meant for a JSON column, so that `"42"` becomes a number; its driver takes a bare `true` for a
 * boolean and `[true]` for an array of them; and it encodes the JSON argument of a function twice.
 *
 * @module
 */

import type { Sql } from "postgres";

import { rememberCatalog } from "./catalog_memory.ts";

/** Marks a text that is already JSON. It begins with a control character because no JSON does. */
const MARK = "\u0001json:";

function serialize(value: unknown): string {
  return typeof value === "string" && value.startsWith(MARK)
    ? value.slice(MARK.length)
    : JSON.stringify(value);
}

function parse(text: string): unknown {
  return JSON.parse(text);
}

/** The type handlers for `postgresOptions.types` of the connection: marked text is written unchanged. */
export const markedJson = {
  json: { to: 114, from: [114], serialize, parse },
  jsonb: { to: 3802, from: [3802], serialize, parse },
};

type Values = Record<string, unknown>;

/** Marks the JSON values in a request. */
export type MarkJson = (request: Request) => Promise<Request>;

/**
 * Marks the JSON values in requests that write rows or call a function. Other requests stay unchanged.
 *
 * @param sql Connection to look up which columns and arguments are JSON. The caller closes it.
 */
export async function createJsonMarker(sql: Sql): Promise<MarkJson> {
  const read = await rememberCatalog(sql, (path) => jsonNames(sql, path));
  return (request) => markJson(request, async (path) => await read(path) ?? []);
}

async function markJson(
  request: Request,
  namesOf: (path: string) => Promise<string[]>,
): Promise<Request> {
  const [, path, rpc] = new URL(request.url).pathname.match(/^\/rest\/v1\/((rpc\/)?[^/]+)\/?$/) ??
    [];
  const writes = rpc ? ["POST"] : ["POST", "PATCH", "PUT"];
  if (!path || !writes.includes(request.method)) return request;
  const text = await request.text();
  const body = tryParse(text);
  const rows = [body].flat().filter(isValues);
  const names = rows.length > 0 ? await namesOf(decodeURIComponent(path)) : [];
  if (names.length === 0) return new Request(request, { body: text });
  for (const row of rows) {
    for (const name of names) {
      // Null is no value: it is not JSON.
      if (row[name] !== undefined && row[name] !== null) {
        row[name] = MARK + JSON.stringify(row[name]);
      }
    }
  }
  return new Request(request, { body: JSON.stringify(body) });
}

/** Whether a part of a body is a row or the arguments of a function. */
function isValues(part: unknown): part is Values {
  return typeof part === "object" && part !== null;
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The columns of a table, or the arguments of a function (`rpc/NAME`), that are JSON. Undefined if there is none. */
async function jsonNames(sql: Sql, path: string): Promise<string[] | undefined> {
  const name = path.replace(/^rpc\//, "");
  const rows = name !== path
    ? await sql`
      select distinct a.name, a.type in ('json'::regtype, 'jsonb'::regtype) as json from pg_proc p
      cross join unnest(p.proargnames, p.proargtypes::oid[]) as a (name, type)
      where p.pronamespace = 'public'::regnamespace and p.proname = ${name}`
    : await sql`
      select a.attname as name, a.atttypid in ('json'::regtype, 'jsonb'::regtype) as json from pg_attribute a
      join pg_class c on c.oid = a.attrelid
      where c.relnamespace = 'public'::regnamespace and c.relname = ${name} and a.attnum > 0`;
  return rows.length === 0 ? undefined : rows.filter(({ json }) => json).map(({ name }) => name);
}

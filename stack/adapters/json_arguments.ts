/**
 * PostgREST passes a JSON argument of a function on unchanged. `@supabase/lite` passes on a JSON string that contains
 * it (seen in 0.10.0): it writes the argument as JSON text, and its driver encodes that text as JSON again.
 *
 * @module
 */

import type { Sql } from "postgres";

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

/**
 * Marks the JSON arguments in a request that calls a function. Other requests stay unchanged.
 *
 * @param request A request to `@supabase/lite`.
 * @param sql Connection to look up which arguments of a function are JSON.
 */
export async function markJsonArguments(request: Request, sql: Sql): Promise<Request> {
  const name = new URL(request.url).pathname.match(/^\/rest\/v1\/rpc\/([^/]+)$/)?.[1];
  if (request.method !== "POST" || !name) return request;
  const text = await request.text();
  const body = parseObject(text);
  const json = await jsonArguments(sql, decodeURIComponent(name));
  for (const argument of json) {
    if (body && body[argument] !== undefined && body[argument] !== null) {
      body[argument] = MARK + JSON.stringify(body[argument]);
    }
  }
  return new Request(request, { body: body && json.length > 0 ? JSON.stringify(body) : text });
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const body = JSON.parse(text);
    return typeof body === "object" && body !== null && !Array.isArray(body) ? body : undefined;
  } catch {
    return undefined;
  }
}

async function jsonArguments(sql: Sql, name: string): Promise<string[]> {
  const rows = await sql`
    select distinct a.name from pg_proc p
    cross join unnest(p.proargnames, p.proargtypes::oid[]) as a (name, type)
    where p.pronamespace = 'public'::regnamespace and p.proname = ${name}
      and a.type in ('json'::regtype, 'jsonb'::regtype)`;
  return rows.map((row) => row.name);
}

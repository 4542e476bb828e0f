/**
 * PostgREST calls the function that `pgrst.db_pre_request` names at the beginning of each request, in its transaction,
 * which is read-only for GET, HEAD and functions that are not volatile. `@supabase/lite` knows no such setting, and tells only requests of functions
 * their headers (seen in 0.10.0).
 *
 * https://docs.postgrest.org/en/stable/references/transactions.html describes both.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";

import type { Connection } from "@supabase/lite";
import type { Sql } from "postgres";

import { rememberCatalog } from "./catalog_memory.ts";

/** Runs something as part of a request to REST. */
export type WithinRequest = <T>(request: Request, run: () => Promise<T>) => Promise<T>;

/** A transaction of `@supabase/lite`, as far as it is used here. */
interface Transaction {
  selectNoFrom(select: (builder: ExpressionBuilder) => unknown): { execute(): Promise<unknown> };
}

interface ExpressionBuilder {
  fn(name: string, args: unknown[]): { as(name: string): unknown };
}

const READS = ["GET", "HEAD"];

/**
 * Makes the connection call the function. It is looked up again after `notify pgrst, 'reload config'`.
 *
 * @param connection The connection of `@supabase/lite`. Its `withContext` is replaced.
 * @param sql A separate connection, which the caller closes.
 * @returns What every request to REST has to run in.
 */
export async function callPreRequest(connection: Connection, sql: Sql): Promise<WithinRequest> {
  const requests = new AsyncLocalStorage<Request>();
  let hook: Promise<string | undefined> | undefined;
  await sql.listen("pgrst", (payload) => {
    if (payload === "reload config") hook = undefined;
  });

  const callsReader = await rememberCatalog(sql, (path) => readVolatility(sql, path));
  const withContext = connection.withContext.bind(connection);
  connection.withContext = async (context, run, options) => {
    const request = requests.getStore();
    if (!request) return await withContext(context, run, options);
    const name = await (hook ??= readSetting(sql));
    const path = new URL(request.url).pathname.replace("/rest/v1", "");
    const rpc = {
      method: request.method,
      path,
      readOnly: READS.includes(request.method) || (await callsReader(path) ?? false),
      requestHeaders: Object.fromEntries(request.headers),
    };
    return await withContext(context, async (db) => {
      if (!name) return await run(db);
      // Sent together, to save a round trip. After an error, the database does nothing more in the transaction.
      const called = (db as unknown as Transaction)
        .selectNoFrom((builder) => builder.fn(name, []).as("done")).execute();
      const [call, result] = await Promise.allSettled([called, run(db)]);
      if (call.status === "rejected") throw call.reason;
      if (result.status === "rejected") throw result.reason;
      return result.value;
    }, { ...options, rpc });
  };
  return (request, run) =>
    new URL(request.url).pathname.startsWith("/rest/v1/") ? requests.run(request, run) : run();
}

/** Whether a path calls a function that only reads; undefined if there is none. */
async function readVolatility(sql: Sql, path: string): Promise<boolean | undefined> {
  const name = path.match(/^\/rpc\/([^/]+)$/)?.[1];
  if (name === undefined) return undefined;
  const [found] = await sql`
    select bool_and(provolatile <> 'v') as reads from pg_proc
    where pronamespace = 'public'::regnamespace and proname = ${decodeURIComponent(name)}`;
  return found?.reads ?? undefined;
}

async function readSetting(sql: Sql): Promise<string | undefined> {
  const [setting] = await sql`
    select split_part(c, '=', 2) as name
    from pg_db_role_setting as s cross join unnest(s.setconfig) as c
    where s.setrole = 'authenticator'::regrole and c like 'pgrst.db_pre_request=%'`;
  return setting?.name;
}

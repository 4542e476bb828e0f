/**
 * On the platform, REST's connections have loaded `safeupdate`, which refuses an UPDATE or DELETE without WHERE. The
 * embedded PostgreSQL does not have this extension. A request that changes a table without a filter is refused here; a test
 * in `supabase/tests/foundation` looks for such statements in functions.
 *
 * @module
 */

/** A table or view; a function, whose path is `rpc/NAME`, is none. */
const TABLE_PATH = /^\/rest\/v1\/(?!rpc\/)[^/]+$/;

/** Parameters that are no filters. */
const NO_FILTER = ["select", "columns", "order", "limit", "offset", "on_conflict"];

const STATEMENTS: Record<string, string> = { PATCH: "UPDATE", DELETE: "DELETE" };

/**
 * Refuses a request that would update or delete all rows of a table.
 *
 * @param request An incoming request.
 * @returns The refusal; undefined for all other requests.
 */
export async function refuseUnfiltered(request: Request): Promise<Response | undefined> {
  const { pathname, searchParams } = new URL(request.url);
  const statement = STATEMENTS[request.method];
  if (!statement || !TABLE_PATH.test(pathname)) return;
  if ([...searchParams.keys()].some((name) => !NO_FILTER.includes(name))) return;
  await request.body?.cancel();
  return Response.json(
    { code: "21000", details: null, hint: null, message: `${statement} requires a WHERE clause` },
    { status: 400, headers: { "access-control-allow-origin": "*" } },
  );
}

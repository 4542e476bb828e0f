/**
 * PostgREST answers a plain `raise exception` (SQLSTATE P0001) with 400, `@supabase/lite` with 500 (seen
 * in 0.10.0).
 *
 * @module
 */

/**
 * Corrects the status of a REST answer to a plain `raise exception`.
 *
 * @param request The request, whose path tells REST from the rest.
 * @param response Its answer.
 */
export async function correctRaiseStatus(request: Request, response: Response): Promise<Response> {
  if (response.status !== 500 || !new URL(request.url).pathname.startsWith("/rest/v1/")) {
    return response;
  }
  const body = await response.text();
  const status = isPlainRaise(body) ? 400 : 500;
  return new Response(body, { status, headers: response.headers });
}

function isPlainRaise(body: string): boolean {
  try {
    return JSON.parse(body).code === "P0001";
  } catch {
    return false;
  }
}

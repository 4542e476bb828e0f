/**
 * CORS for REST, Auth and Storage, as the platform's gateway has it: `@supabase/lite` answers the preflights of some routes
 * with 404 or without the allowed headers, and a browser then sends nothing.
 *
 * @module
 */

/** One hour, as on the platform. */
const MAX_AGE_S = 3_600;

/** What PostgREST and Storage answer with and pages may read. */
const EXPOSED = [
  "allow",
  "content-disposition",
  "content-encoding",
  "content-location",
  "content-range",
  "etag",
  "last-modified",
  "location",
  "preference-applied",
  "ratelimit",
  "ratelimit-policy",
  "retry-after",
  "x-request-id",
  "x-total-count",
].join(", ");

/**
 * Responds to a preflight: any origin, any method and the headers that it asks for. Callers are identified by a token,
 * which browsers never send on their own.
 *
 * @param request Any request.
 * @param methods The methods that the gateway accepts.
 * @returns undefined if the request is no preflight.
 */
export function answerPreflight(request: Request, methods: string[]): Response | undefined {
  const isPreflight = request.method === "OPTIONS" &&
    request.headers.has("access-control-request-method");
  if (!isPreflight) return;
  const headers = new Headers({
    "access-control-allow-origin": "*",
    "access-control-allow-methods": methods.join(", "),
    "access-control-max-age": String(MAX_AGE_S),
    vary: "access-control-request-headers",
  });
  const asked = request.headers.get("access-control-request-headers");
  if (asked) headers.set("access-control-allow-headers", asked);
  return new Response(null, { status: 204, headers });
}

/** Lets pages of any origin read a response. */
export function allowOrigins(response: Response): Response {
  const headers = new Headers(response.headers);
  headers.set("access-control-allow-origin", "*");
  headers.set("access-control-expose-headers", EXPOSED);
  headers.delete("access-control-allow-credentials");
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}

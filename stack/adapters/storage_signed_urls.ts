/**
 * Supabase Storage answers a signing request with `signedURL` (downloads) or `url` (uploads), both
 * relative to `/storage/v1`; `@supabase/lite` with `signedUrl`, relative to the root (seen in 0.10.0), which
 * storage-js does not read.
 *
 * @module
 */

const SIGN_PATH = /^\/storage\/v1\/object\/(upload\/)?sign\//;

/**
 * Renames the fields of a signing answer.
 *
 * @param request The request, whose path tells what was signed.
 * @param response Its answer.
 */
export async function renameSignedUrls(request: Request, response: Response): Promise<Response> {
  const match = new URL(request.url).pathname.match(SIGN_PATH);
  if (!match || request.method !== "POST" || !response.ok) return response;

  const body = await response.json();
  const field = match[1] ? "url" : "signedURL";
  const renamed = Array.isArray(body)
    ? body.map((item) => rename(item, field))
    : rename(body, field);
  return Response.json(renamed, { status: response.status, headers: withoutLength(response) });
}

function rename(item: Record<string, unknown>, field: string): Record<string, unknown> {
  if (!("signedUrl" in item)) return item;
  const { signedUrl, ...others } = item;
  const relative = typeof signedUrl === "string"
    ? signedUrl.replace(/^\/storage\/v1/, "") || null
    : signedUrl;
  return { ...others, [field]: relative };
}

function withoutLength(response: Response): Headers {
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  return headers;
}

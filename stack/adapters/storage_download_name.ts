/**
 * Supabase Storage names a downloaded file as `?download=NAME` says, in the header Content-Disposition. `@supabase/lite`
 * does not send this header (seen in 0.10.0).
 *
 * @module
 */

const OBJECT_PATH = /^\/storage\/v1\/object\//;

/**
 * Answers a request to Storage. If it downloads an object under a name, adds the header.
 *
 * @param request The request.
 * @param answer Passes a request to `@supabase/lite`.
 */
export async function nameDownload(
  request: Request,
  answer: (request: Request) => Promise<Response>,
): Promise<Response> {
  const response = await answer(request);
  const { pathname, searchParams } = new URL(request.url);
  const name = searchParams.get("download");
  if (name === null || request.method !== "GET" || !OBJECT_PATH.test(pathname) || !response.ok) {
    return response;
  }
  const encoded = encodeURIComponent(name);
  const headers = new Headers(response.headers);
  headers.set(
    "content-disposition",
    name ? `attachment; filename=${encoded}; filename*=UTF-8''${encoded};` : "attachment;",
  );
  return new Response(response.body, { status: response.status, headers });
}

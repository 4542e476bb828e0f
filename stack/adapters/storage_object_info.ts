/**
 * Supabase Storage returns the `size` and `content_type` of an object as members of its information. `@supabase/lite`
 * only has them inside `metadata` (seen in 0.10.0).
 *
 * @module
 */

/** `/object/info/BUCKET/PATH`, and the same for public objects. */
const INFO_PATH = /^\/storage\/v1\/object\/info\//;

/**
 * Answers a request to Storage. If it asks for an object's information, adds size and type.
 *
 * @param request The request.
 * @param answer Passes a request to `@supabase/lite`.
 */
export async function mendObjectInfo(
  request: Request,
  answer: (request: Request) => Promise<Response>,
): Promise<Response> {
  const response = await answer(request);
  if (!INFO_PATH.test(new URL(request.url).pathname) || !response.ok) return response;
  const { metadata, user_metadata, httpMetadata: _, ...others } = await response.json();
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  return Response.json({
    ...others,
    size: metadata?.size ?? null,
    content_type: metadata?.mimetype ?? null,
    cache_control: metadata?.cacheControl ?? null,
    etag: metadata?.eTag ?? null,
    metadata: user_metadata ?? {},
  }, { headers });
}

/**
 * Supabase Storage refuses keys of objects with anything but ASCII letters, digits and a few other characters (400
 * InvalidKey). `@supabase/lite` takes all keys (seen in 0.10.0).
 *
 * @module
 */

/** The characters that Storage accepts (https://supabase.com/docs/guides/storage/uploads/file-limits). */
const VALID_KEY = /^[\w/!.*'() &$@=;:+,?-]+$/;

/** Uploads, and signing of uploads: `/object/BUCKET/KEY`, `/object/upload/sign/BUCKET/KEY`. */
const KEY_PATH =
  /^\/storage\/v1\/object\/(?:upload\/sign\/)?(?!upload\/|sign\/|list|info\/|copy$|move$)[^/]+\/(.+)$/;

/** Copies and moves, whose body has the new key. */
const NEW_KEY_PATH = /^\/storage\/v1\/object\/(copy|move)$/;

/**
 * Refuses a request that would give an object a key that Supabase Storage does not accept.
 *
 * @param request An incoming request.
 * @returns The refusal; undefined for all other requests.
 */
export async function refuseKey(request: Request): Promise<Response | undefined> {
  if (!["POST", "PUT"].includes(request.method)) return;
  const { pathname } = new URL(request.url);
  const key = NEW_KEY_PATH.test(pathname)
    ? (await request.clone().json().catch(() => null))?.destinationKey
    : decode(pathname.match(KEY_PATH)?.[1]);
  if (typeof key !== "string" || VALID_KEY.test(key)) return;
  await request.body?.cancel();
  return Response.json(
    { statusCode: "400", error: "InvalidKey", message: `Invalid key: ${key}` },
    { status: 400, headers: { "access-control-allow-origin": "*" } },
  );
}

function decode(path: string | undefined): string | undefined {
  try {
    return path && decodeURIComponent(path);
  } catch {
    return path;
  }
}

/**
 * Two differences in signing Storage URLs (seen in 0.10.0).
 *
 * Supabase Storage returns `signedURL` (downloads) or `url` (uploads), both relative to `/storage/v1`. `@supabase/lite`
 * returns `signedUrl`, relative to the root, which storage-js does not read. Its route that signs many downloads is
 * hidden behind the route that signs one, and returns 404.
 *
 * @module
 */

/** `/object/sign/BUCKET`, `/object/sign/BUCKET/PATH` or `/object/upload/sign/BUCKET/PATH` */
const SIGN_PATH = /^\/storage\/v1\/object\/(upload\/)?sign\/[^/]+(\/.+)?$/;

/** The real service's message for a path that it does not sign. */
const NOT_SIGNED = "Either the object does not exist or you do not have access to it";

/**
 * Answers a request to Storage. If it asks for signed URLs, corrects these differences.
 *
 * @param request The request.
 * @param answer Passes a request to `@supabase/lite`.
 */
export async function mendSigning(
  request: Request,
  answer: (request: Request) => Promise<Response>,
): Promise<Response> {
  const match = new URL(request.url).pathname.match(SIGN_PATH);
  if (!match || request.method !== "POST") return await answer(request);
  const [, upload, path] = match;
  if (!upload && !path) return await signMany(request, answer);

  const response = await answer(request);
  if (!response.ok) return response;
  const { signedUrl, ...others } = await response.json();
  const field = upload ? "url" : "signedURL";
  return Response.json({ ...others, [field]: relative(signedUrl) }, {
    headers: withoutLength(response.headers),
  });
}

async function signMany(
  request: Request,
  answer: (request: Request) => Promise<Response>,
): Promise<Response> {
  const headers = withoutLength(request.headers);
  const { paths, ...options } = (await request.json().catch(() => null)) ?? {};
  if (!Array.isArray(paths)) {
    return Response.json(
      { statusCode: "400", error: "Error", message: "body must have required property 'paths'" },
      { status: 400 },
    );
  }
  const signed = await Promise.all(paths.map(async (path) => {
    // In a URL, these would lead out of the bucket.
    if (/(^|\/)\.{1,2}(\/|$)/.test(String(path))) {
      return { error: NOT_SIGNED, path, signedURL: null };
    }
    const encoded = String(path).split("/").map(encodeURIComponent).join("/");
    const response = await answer(
      new Request(`${request.url}/${encoded}`, {
        method: "POST",
        headers,
        body: JSON.stringify(options),
      }),
    );
    const body = await response.json();
    return response.ok
      ? { error: null, path, signedURL: relative(body.signedUrl) }
      : { error: NOT_SIGNED, path, signedURL: null };
  }));
  return Response.json(signed, { headers: { "access-control-allow-origin": "*" } });
}

function relative(url: string): string {
  return url.replace(/^\/storage\/v1/, "");
}

function withoutLength(original: Headers): Headers {
  const headers = new Headers(original);
  headers.delete("content-length");
  return headers;
}

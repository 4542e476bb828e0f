/**
 * References to objects in Storage: `storage://BUCKET/PATH`, and URLs of this project's Storage.
 *
 * @module
 */

/** Where an object is. */
export interface Reference {
  bucket: string;
  path: string;
  /** A URL that may be read without the rights of the user: that of a public object, or a signed one. */
  url?: string;
}

const SCHEME = "storage://";

/** The most characters of a path, as Storage has it. */
const MOST_CHARACTERS = 1024;

/** URLs of Storage that name an object. */
const OBJECT_URL = /^\/storage\/v1\/object\/(?:(sign|public|authenticated)\/)?(.+)$/;

/**
 * Reads a URL as a reference.
 *
 * @param url The URL of a part.
 * @returns The object; undefined if the URL is not one of Storage.
 */
export function toReference(url: string): Reference | undefined {
  if (url.startsWith(SCHEME)) return toObject(url.slice(SCHEME.length));
  if (!URL.canParse(url)) return undefined;
  const { origin, pathname, username, href } = new URL(url);
  if (origin !== new URL(Deno.env.get("SUPABASE_URL") ?? "http://none").origin || username) {
    return undefined;
  }
  const [, kind, place = ""] = pathname.match(OBJECT_URL) ?? [];
  const object = toObject(place);
  return object && { ...object, ...["sign", "public"].includes(kind ?? "") && { url: href } };
}

function toObject(place: string): Reference | undefined {
  const [, first, rest] = place.match(/^([^/?#]+)\/([^?#]+)$/) ?? [];
  if (!first || !rest) return undefined;
  let bucket: string;
  let path: string;
  try {
    bucket = decodeURIComponent(first);
    path = decodeURIComponent(rest);
  } catch {
    return undefined;
  }
  const exists = path.length <= MOST_CHARACTERS && !bucket.includes("/") &&
    [bucket, path].every(isPath);
  return exists ? { bucket, path } : undefined;
}

function isPath(path: string): boolean {
  // deno-lint-ignore no-control-regex -- the pattern is about control characters
  return path.isWellFormed() && !/[\0-\x1f\x7f]|^\/|(^|\/)\.{1,2}(\/|$)/.test(path);
}

/**
 * Signs many downloads at once.
 *
 * @module
 */

import type { SupabaseClient } from "@supabase/supabase-js";
import type * as z from "zod/mini";

import type { Database } from "../_shared/database.types.ts";
import { Problem } from "../_shared/problem.ts";
import { call } from "../_shared/rpc.ts";
import { fromStorage } from "../_storage/errors.ts";
import type * as schema from "./schema.ts";

/** Seconds that a URL is valid by default. No bucket's maximum is lower. */
const DEFAULT_SECONDS = 3600;

/** The signed URLs, and the paths that were refused. */
export interface SignedDownloads {
  urls: { path: string; url: string }[];
  refused: { path: string; reason: string }[];
  /** When the URLs expire. */
  expires_at: string;
}

/**
 * Signs the downloads that the caller may read, in one call. Storage's policies decide.
 *
 * @param caller The user's client.
 * @param service Client with the secret key, for the bucket's rules.
 * @param request What to sign.
 * @throws {Problem} 404 `bucket_not_found`; 422 `expiry_too_long`; the errors of Storage.
 */
export async function signDownloads(
  caller: SupabaseClient<Database>,
  service: SupabaseClient<Database>,
  request: z.infer<typeof schema.Downloads>,
): Promise<SignedDownloads> {
  const { bucket, expires_in = DEFAULT_SECONDS } = request;
  const items: Item[] = request.paths.map((item) =>
    typeof item === "string" ? { path: item } : item
  );
  const paths = [...new Set(items.map(({ path }) => path).filter(canExist))];
  const now = Date.now();
  const [terms, signed] = await Promise.all([
    call(() => service.rpc("get_bucket_terms", { bucket })),
    paths.length > 0 ? caller.storage.from(bucket).createSignedUrls(paths, expires_in) : undefined,
  ]);
  const longest = terms.download_seconds ?? DEFAULT_SECONDS;
  if (expires_in > longest) {
    throw new Problem(
      422,
      "expiry_too_long",
      `A URL of this bucket can be valid for at most ${longest} seconds`,
      { hint: "Send a smaller expires_in", fields: { maximum: longest } },
    );
  }
  if (signed?.error) throw fromStorage(signed.error);

  const answers = new Map(signed?.data.map((answer) => [answer.path, answer]));
  const named = items.filter(({ path, download }) =>
    download === true && answers.get(path)?.signedUrl
  ).map(({ path }) => path);
  const names = named.length > 0 ? await readNames(service, bucket, named) : new Map();
  const result: SignedDownloads = {
    urls: [],
    refused: [],
    expires_at: new Date(now + expires_in * 1000).toISOString(),
  };
  for (const { path, download } of items) {
    const answer = answers.get(path);
    if (answer?.signedUrl) {
      // Without a record, an object has the last part of its path as its name.
      const name = download === true ? names.get(path) ?? path.split("/").pop() : download;
      const query = name === undefined ? "" : `&download=${encodeURIComponent(name)}`;
      result.urls.push({ path, url: answer.signedUrl + query });
    } else {
      result.refused.push({ path, reason: answer?.error ?? "No object can have this path" });
    }
  }
  return result;
}

/** A path to sign. download is the name to save the file under; true stands for the name that the file has. */
interface Item {
  path: string;
  download?: string | true;
}

/** The names of files, by their paths. */
async function readNames(
  service: SupabaseClient<Database>,
  bucket: string,
  paths: string[],
): Promise<Map<string, string>> {
  const files = await call(() => service.rpc("get_file_names", { bucket, paths }));
  return new Map(files.map(({ path, name }) => [path, name]));
}

/** Whether an object can have this path. An impossible path would fail the whole call. */
function canExist(path: string): boolean {
  return path.length > 0 && path.length <= 1024 && path.isWellFormed() &&
    // deno-lint-ignore no-control-regex -- the pattern is about control characters
    !/[\0-\x1f\x7f]|^\/|(^|\/)\.{1,2}(\/|$)/.test(path);
}

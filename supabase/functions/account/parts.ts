/**
 * Describes an export with the URLs from which it can be downloaded.
 *
 * @module
 */

import type { SupabaseContext } from "@supabase/server";

import { userId } from "../_shared/auth.ts";
import type { Database } from "../_shared/database.types.ts";
import { unwrap } from "../_shared/rpc.ts";
import { fromStorage } from "../_storage/errors.ts";

/** The bucket of archives. */
const BUCKET = "exports";

/** An object of an archive. */
export interface Part {
  number: number;
  kind: string;
  name: string;
  rows: number | null;
  bytes: number;
  sha256: string | null;
  bucket: string | null;
  path: string | null;
  url: string | null;
}

/**
 * Returns the state of the user's newest export and, if it is done, some of its parts. Their URLs are signed as the
 * user, so that Storage's policies apply.
 *
 * @param context Context of a request that was authenticated as `user`.
 * @param after The number of the part before the first.
 * @param page_size How many parts, 1 to 1000.
 * @throws {Problem} 404 `export_not_found`; what Storage refuses.
 */
export async function describeParts(
  context: SupabaseContext<Database>,
  after: number,
  page_size: number,
): Promise<Record<string, unknown> & { parts: Part[]; next_after: number | null }> {
  const { supabase, supabaseAdmin } = context;
  const user_id = userId(context);
  const { url_seconds, parts: _, ...state } = unwrap(
    await supabaseAdmin.rpc("get_account_export", { user_id }),
  );
  const parts = unwrap(
    await supabaseAdmin.rpc("account_export_parts", { user_id, after, page_size }),
  );
  const urls = new Map<string | null, string>();
  if (parts.length > 0) {
    const { data, error } = await supabase.storage.from(BUCKET)
      .createSignedUrls(parts.map(({ name }) => name), url_seconds ?? 3600);
    if (error) throw fromStorage(error);
    for (const { path, signedUrl } of data) if (signedUrl) urls.set(path, signedUrl);
  }
  return {
    ...state,
    // An object that was removed in the meantime has no URL.
    parts: parts.map((part) => ({ ...part, url: urls.get(part.name) || null })),
    next_after: parts.length === page_size ? parts.at(-1)?.number ?? null : null,
  };
}

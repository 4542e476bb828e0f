/// <reference lib="dom" />

/**
 * Remembers the idempotency keys of uploads, so that the same file continues its upload after a reload.
 *
 * @module
 */

import { randomUuid } from "../api/support.ts";

/** What identifies an upload, besides the file. */
interface Described {
  bucket: string;
  name: string;
  size: number;
}

/** Returns the key of an earlier upload of the same file that was interrupted. */
export function rememberedKey(file: Blob, described: Described): string | undefined {
  return storage()?.getItem(nameOf(file, described)) ?? undefined;
}

/** Makes a key, and remembers it. */
export function rememberKey(file: Blob, described: Described): string {
  const key = randomUuid();
  // Only a File from a disk is the same one after a reload.
  if ("lastModified" in file) {
    try {
      storage()?.setItem(nameOf(file, described), key);
    } catch { /* the storage is full: the upload cannot be continued after a reload */ }
  }
  return key;
}

/** Forgets the key of an upload that has ended. */
export function forgetKey(file: Blob, described: Described): void {
  storage()?.removeItem(nameOf(file, described));
}

function nameOf(file: Blob, described: Described): string {
  const changed = "lastModified" in file ? file.lastModified : null;
  return `strongroom:upload:${JSON.stringify({ ...described, changed })}`;
}

/** Undefined without a page, or if the user does not allow pages to store anything. */
function storage(): Storage | undefined {
  try {
    return typeof document === "undefined" ? undefined : globalThis.localStorage;
  } catch {
    return undefined;
  }
}

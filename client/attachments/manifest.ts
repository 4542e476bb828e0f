/**
 * The manifest of an attachment: its name, its type, and its parts in order.
 *
 * @module
 */

import { CryptoError } from "../crypto/mod.ts";

/** A part of an attachment: an object in Storage, encrypted. */
export interface AttachmentPart {
  readonly id: string;
  /** Bytes of the file in this part. */
  readonly size: number;
}

/** An attachment. */
export interface Attachment {
  /** Id of its manifest. */
  readonly id: string;
  readonly name: string;
  /** Content type; empty if it is not known. */
  readonly type: string;
  /** Bytes. */
  readonly size: number;
  /** In the order of the file. */
  readonly parts: readonly AttachmentPart[];
}

/** Writes a manifest. */
export function manifestOf(about: Omit<Attachment, "id">): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(about));
}

/** Reads a manifest. */
export function readManifest(bytes: Uint8Array): Omit<Attachment, "id"> {
  try {
    const { name, type, size, parts } = JSON.parse(new TextDecoder().decode(bytes));
    const read = (parts as AttachmentPart[]).map(({ id, size }) => ({ id, size }));
    const total = read.reduce((sum, part) => sum + part.size, 0);
    if (typeof name === "string" && typeof type === "string" && total === size) {
      return { name, type, size, parts: read };
    }
  } catch { /* it is malformed */ }
  throw new CryptoError("malformed_envelope", "This is not the manifest of an attachment");
}

/**
 * The manifest of an attachment: its name, its type, and its chunks in order.
 *
 * @module
 */

import { CryptoError } from "../crypto/mod.ts";

/** A chunk of an attachment: an object in Storage, encrypted. */
export interface AttachmentChunk {
  readonly id: string;
  /** Bytes of the file in this chunk. */
  readonly size: number;
  /** The nonce of its envelope: the server may have given the id to another chunk as well. Older attachments have none. */
  readonly nonce?: string;
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
  readonly chunks: readonly AttachmentChunk[];
}

/** Writes a manifest. */
export function manifestOf(about: Omit<Attachment, "id">): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(about));
}

/** Reads a manifest. */
export function readManifest(bytes: Uint8Array): Omit<Attachment, "id"> {
  try {
    const { name, type, size, chunks } = JSON.parse(new TextDecoder().decode(bytes));
    const read = (chunks as AttachmentChunk[]).map(({ id, size, nonce }) => ({
      ...{ id, size },
      ...(nonce !== undefined && { nonce }),
    }));
    const total = read.reduce((sum, chunk) => sum + chunk.size, 0);
    if (typeof name === "string" && typeof type === "string" && total === size) {
      return { name, type, size, chunks: read };
    }
  } catch { /* it is malformed */ }
  throw new CryptoError("malformed_envelope", "This is not the manifest of an attachment");
}

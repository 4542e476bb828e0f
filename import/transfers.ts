/**
 * Moves the bytes of objects: piece by piece, so that an object of any size needs little memory.
 *
 * @module
 */

import { createHash } from "node:crypto";

import { StackFailure } from "../stack/failure.ts";
import type { ReadObject, StoredObject, WriteObject } from "./storage.ts";

/** What went through. */
export interface Content {
  bytes: number;
  /** The SHA-256, in hexadecimal digits. */
  sha256: string;
}

/** Why an object was not copied. */
export interface NotCopied {
  problem: string;
  message: string;
}

/** Attempts before an import gives up. */
const ATTEMPTS = 4;

/**
 * Copies an object.
 *
 * @param object The object.
 * @param read Reads it.
 * @param write Writes it.
 * @returns What was copied, or why the object cannot be.
 * @throws {StackFailure} if one of both sides keeps failing.
 */
export function copyObject(
  object: StoredObject,
  read: ReadObject,
  write: WriteObject,
): Promise<Content | NotCopied> {
  return persistently(`copy ${object.bucket}/${object.name}`, async () => {
    const stream = await read(object);
    if (!stream) {
      return { problem: "object: has no bytes", message: "Storage has no bytes for this object" };
    }
    const { meter, content } = metered();
    // What is refused before its end is not read any further.
    const ended = new AbortController();
    try {
      const refused = await write(object, stream.pipeThrough(meter, { signal: ended.signal }));
      return refused === undefined
        ? content()
        : { problem: "object: refused by Storage", message: refused };
    } finally {
      ended.abort();
    }
  });
}

/**
 * Reads an object.
 *
 * @param object The object.
 * @param read Reads it.
 * @returns What it contains; undefined if it does not exist.
 * @throws {StackFailure} if reading keeps failing.
 */
export function readContent(
  object: StoredObject,
  read: ReadObject,
): Promise<Content | undefined> {
  return persistently(`read ${object.bucket}/${object.name}`, async () => {
    const stream = await read(object);
    if (!stream) return undefined;
    const { meter, content } = metered();
    await stream.pipeThrough(meter).pipeTo(new WritableStream());
    return content();
  });
}

function metered() {
  const hash = createHash("sha256");
  let bytes = 0;
  const meter = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, stream) {
      hash.update(chunk);
      bytes += chunk.length;
      stream.enqueue(chunk);
    },
  });
  return { meter, content: (): Content => ({ bytes, sha256: hash.digest("hex") }) };
}

async function persistently<T>(what: string, run: () => Promise<T>): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await run();
    } catch (cause) {
      if (attempt === ATTEMPTS) {
        throw new StackFailure(
          `Cannot ${what}: ${(cause as Error).message}`,
          "Check the URL and the secret key of the project, and repeat the command: it continues here.",
          { cause },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
    }
  }
}

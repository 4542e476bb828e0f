/**
 * Argon2id (RFC 9106), which makes each guess of a password take memory, not only time. The library is loaded when the
 * first password is derived.
 *
 * @module
 */

import { CryptoError } from "./crypto_error.ts";
import { type Bytes, toUtf8 } from "./encoding.ts";

/** How much work one derivation is. */
export interface Argon2idCost {
  /** Kibibytes of memory, 19,456 to 262,144. */
  readonly memory_kib: number;
  /** Passes over the memory, 2 to 10. */
  readonly passes: number;
}

/** The minimum of OWASP's Password Storage Cheat Sheet, and the default. A server that offers less makes guessing cheap. */
export const MIN_COST: Argon2idCost = { memory_kib: 19_456, passes: 2 };

const MAX_MEMORY_KIB = 262_144;
const MAX_PASSES = 10;

/** Memory times passes: about half a second on a desktop computer, and a few seconds on a slow phone. */
const MAX_WORK = 262_144;

/** Tells how much work a cost is, to compare two. */
export function workOf({ memory_kib, passes }: Argon2idCost): number {
  return memory_kib * passes;
}

/** @throws CryptoError `key_parameters_refused` for a cost outside its bounds */
export function checkCost(cost: Argon2idCost): void {
  const { memory_kib, passes } = cost;
  const within = Number.isInteger(memory_kib) && Number.isInteger(passes) &&
    memory_kib >= MIN_COST.memory_kib && memory_kib <= MAX_MEMORY_KIB &&
    passes >= MIN_COST.passes && passes <= MAX_PASSES && workOf(cost) <= MAX_WORK;
  if (within) return;
  throw new CryptoError(
    "key_parameters_refused",
    `Argon2id with ${memory_kib} KiB and ${passes} passes is out of bounds`,
  );
}

/**
 * Derives 32 bytes from a password, with one lane.
 *
 * @param password 1 character or more, used as it is
 * @param salt 16 bytes or more
 * @param cost memory and passes
 * @throws CryptoError `invalid_argument` for an empty password, `not_text` for half of a character,
 * `key_parameters_refused`, `argon2id_missing` if the library cannot be loaded or run
 */
export async function argon2idBytes(
  password: string,
  salt: Bytes,
  cost: Argon2idCost,
): Promise<Bytes> {
  if (password === "") throw new CryptoError("invalid_argument", "The password is empty");
  checkCost(cost);
  const { memory_kib: memorySize, passes: iterations } = cost;
  const options = { salt, memorySize, iterations, parallelism: 1, hashLength: 32 };
  return await run({ ...options, password: toUtf8(password), outputType: "binary" });
}

async function run(
  options: Parameters<typeof import("hash-wasm").argon2id>[0] & { outputType: "binary" },
): Promise<Bytes> {
  try {
    const { argon2id } = await import("hash-wasm");
    // A page that forbids WebAssembly loads the library. It fails here.
    return Uint8Array.from(await argon2id(options));
  } catch {
    throw new CryptoError(
      "argon2id_missing",
      "Cannot run hash-wasm: install it, and allow WebAssembly (wasm-unsafe-eval)",
    );
  }
}

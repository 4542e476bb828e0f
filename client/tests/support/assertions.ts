/**
 * Assertions about errors with a code.
 *
 * @module
 */

import assert from "node:assert/strict";

import { CryptoError, type CryptoErrorCode } from "../../crypto/mod.ts";

/** For `assert.rejects` and `assert.throws`: expects a CryptoError with this code. */
export function coded(code: CryptoErrorCode | string): (error: unknown) => boolean {
  return (error) => {
    if (error instanceof CryptoError && error.code === code) return true;
    throw new Error(`Expected a CryptoError ${code}, got ${error}`);
  };
}

/** Returns the error that a promise rejects with, which must have this class and this code. */
export async function rejection<T extends Error>(
  promise: Promise<unknown>,
  type: new (...args: never[]) => T,
  code?: string,
): Promise<T> {
  const error = await promise.then(() => undefined, (error: unknown) => error);
  assert.ok(error instanceof type, `${error}`);
  if (code !== undefined) assert.equal("code" in error ? error.code : undefined, code);
  return error;
}

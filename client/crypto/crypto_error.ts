/**
 * The error of the cryptography.
 *
 * @module
 */

/** What went wrong. `docs/encryption.md` explains each code under "Errors". */
export type CryptoErrorCode =
  | "argon2id_missing"
  | "decryption_failed"
  | "invalid_argument"
  | "key_missing"
  | "key_not_extractable"
  | "key_parameters_refused"
  | "malformed_envelope"
  | "malformed_recovery_key"
  | "malformed_wrap"
  | "not_text"
  | "recovery_key_mistyped"
  | "unknown_version"
  | "webcrypto_missing";

/** The only error class of the cryptography. Programs use the stable `code`, people read the `message`. */
export class CryptoError extends Error {
  override readonly name = "CryptoError";
  readonly code: CryptoErrorCode;
  /** With `key_missing`: the id of the data key that the envelope needs. */
  readonly key_id?: string;

  /**
   * @param code what went wrong
   * @param message a sentence without a full stop; never contains a key, a password or a plaintext
   * @param members `key_id` of the missing key
   */
  constructor(code: CryptoErrorCode, message: string, members: { key_id?: string } = {}) {
    super(message);
    this.code = code;
    if (members.key_id !== undefined) this.key_id = members.key_id;
  }
}

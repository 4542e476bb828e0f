/**
 * What goes wrong in the cryptography of chats.
 *
 * @module
 */

/** What went wrong. Each is explained in `docs/encryption.md`, under "Errors". */
export type CryptoErrorCode =
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

/** The one error of this module. `code` is for programs and stable; `message` is for people. */
export class CryptoError extends Error {
  override readonly name = "CryptoError";
  readonly code: CryptoErrorCode;
  /** With `key_missing`: the id of the data key that would be needed. */
  readonly key_id?: string;

  /**
   * @param code what went wrong
   * @param message a sentence without a full stop; never holds a key, a password or a plaintext
   * @param members `key_id` of the key that is missing
   */
  constructor(code: CryptoErrorCode, message: string, members: { key_id?: string } = {}) {
    super(message);
    this.code = code;
    if (members.key_id !== undefined) this.key_id = members.key_id;
  }
}

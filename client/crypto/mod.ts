/**
 * The cryptography of encrypted chats, as `docs/encryption.md` specifies it: WebCrypto alone, for browsers (on a page
 * from https or localhost), Deno and Node.js 20 or newer.
 *
 * ```ts
 * const password = await derivePasswordKey("correct horse battery staple");
 * const made = generateRecoveryKey(); // shown once
 * const fresh = await generateDataKey();
 * const wraps = [
 *   await wrap(fresh, { under: password, user_id }),
 *   await wrap(fresh, { under: await deriveRecoveryKey(made), user_id }),
 * ];
 * const key = await unwrap(wraps[0], { under: password, user_id, key_id: fresh.key_id });
 * const envelope = await encrypt("Hello", { key, user_id, chat_id, part: "data" });
 * await decryptText(envelope, { keys: [key], user_id, chat_id, part: "data" }); // "Hello"
 * ```
 *
 * @module
 */

export { CryptoError, type CryptoErrorCode } from "./crypto_error.ts";
export {
  decrypt,
  decryptText,
  encrypt,
  type Envelope,
  parseEnvelope,
  type Part,
  type Place,
} from "./envelope.ts";
export {
  type DataKey,
  derivePasswordKey,
  deriveRecoveryKey,
  deriveV1Key,
  type DeviceKey,
  type EpochKey,
  epochKey,
  generateDataKey,
  generateDeviceKey,
  importDeviceKey,
  type PasswordKey,
  type PasswordParameters,
  type RecoveryKey,
  type V1Key,
  type WrappingKey,
} from "./keys.ts";
export { padmeLength } from "./padding.ts";
export { formatRecoveryKey, generateRecoveryKey, parseRecoveryKey } from "./recovery_key.ts";
export { unwrap, wrap } from "./wrap.ts";

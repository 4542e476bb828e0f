/**
 * The cryptography of encrypted chats, as `docs/encryption.md` specifies it. It needs WebCrypto, and hash-wasm
 * for passwords: browsers (pages from https or localhost), Deno, and Node.js 20 or newer.
 *
 * ```ts
 * const password = await derivePasswordKey("correct horse battery staple");
 * const recoveryKey = generateRecoveryKey(); // show it once
 * const fresh = await generateDataKey();
 * const wraps = [
 *   await wrap(fresh, { under: password, user_id }),
 *   await wrap(fresh, { under: await deriveRecoveryKey(recoveryKey), user_id }),
 * ];
 * const key = await unwrap(wraps[0], { under: password, user_id, key_id: fresh.key_id });
 * const envelope = await encrypt("Hello", { key, user_id, chat_id, part: "data" });
 * await decryptText(envelope, { keys: [key], user_id, chat_id, part: "data" }); // "Hello"
 * ```
 *
 * @module
 */

export { type Argon2idCost, checkCost, MIN_COST, workOf } from "./argon2id.ts";
export { CryptoError, type CryptoErrorCode } from "./crypto_error.ts";
export { type DataKey, type EpochKey, epochKey, generateDataKey } from "./data_key.ts";
export { type DeviceKey, generateDeviceKey, importDeviceKey } from "./device_key.ts";
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
  type ChatHead,
  emptySum,
  equalSums,
  foldContent,
  foldSegment,
  type HeadPlace,
  type HeadState,
  historyCode,
  type HistoryContent,
  historyKeyOf,
  historyTerm,
  makeHead,
  openHistory,
  parseHead,
  sealHistory,
  verifyHead,
  xor,
} from "./history.ts";
export { changeProof, changeProofHash, keyIdOf, keyProof } from "./key_proof.ts";
export { padmeLength } from "./padding.ts";
export {
  derivePasskeyKey,
  passkeyInput,
  type PasskeyKey,
  type PasskeyParameters,
} from "./passkey_key.ts";
export {
  derivePasswordKey,
  newPasswordParameters,
  type PasswordKey,
  type PasswordParameters,
} from "./password_key.ts";
export {
  deriveRecoveryKey,
  formatRecoveryKey,
  generateRecoveryKey,
  parseRecoveryKey,
  type RecoveryKey,
} from "./recovery_key.ts";
export { oldSignInPassword, signInPassword } from "./sign_in_password.ts";
export { deriveV1Key, type V1Key } from "./v1_key.ts";
export { unwrap, wrap, type WrappingKey } from "./wrap.ts";

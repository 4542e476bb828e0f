/**
 * Wraps: data keys that the server keeps and cannot use.
 *
 * @module
 */

import {
  gcm,
  join,
  NONCE_BYTES,
  opened,
  randomBytes,
  readSealedMembers,
  type Sealed,
  sealedMembers,
  split,
  webcrypto,
} from "./aes_gcm.ts";
import { CryptoError } from "./crypto_error.ts";
import { associatedData, type Bytes, parseObject, uuidArgument } from "./encoding.ts";
import { DATA_KEY_USAGES, type DataKey, type WrappingKey } from "./keys.ts";

const VERSION = "2";

/** What separates a wrap from an envelope, as one key makes both. */
const PURPOSE = "chat-key-wrap";

const KEY_BYTES = 32;

/**
 * Wraps a data key.
 *
 * @param dataKey an extractable one: from `generateDataKey`, or from `unwrap` with `extractable`
 * @param place `under`: what wraps it; `user_id`: UUID of its user
 * @returns the text of a JSON object, for the member `wrap`. The members of `under` but for `key` are stored beside it
 * @throws CryptoError `key_not_extractable`; `invalid_argument` for an id that is no UUID, or an epoch that would wrap
 * itself
 */
export async function wrap(
  dataKey: DataKey,
  place: { under: WrappingKey; user_id: string },
): Promise<string> {
  return await wrapWithNonce(dataKey, place, randomBytes(NONCE_BYTES));
}

/** {@link wrap}, for test vectors: a nonce that is used twice gives the plaintexts and the key of all macs away. */
export async function wrapWithNonce(
  dataKey: DataKey,
  { under, user_id }: { under: WrappingKey; user_id: string },
  nonce: Bytes,
): Promise<string> {
  const place = associatedData(wrapMembers(under, user_id, dataKey.key_id));
  if (!dataKey.key.extractable) {
    throw new CryptoError("key_not_extractable", "Cannot wrap this key: unwrap it as extractable");
  }
  const sealed = await webcrypto().wrapKey("raw", dataKey.key, under.key, gcm(nonce, place));
  return JSON.stringify({ v: VERSION, ...sealedMembers(split(nonce, sealed)) });
}

/**
 * Opens a wrap.
 *
 * @param wrapped the text that `wrap` made
 * @param place `under`: the key that wrapped it; `user_id` and `key_id`: UUIDs of the user and of the epoch;
 * `extractable`: true in order to wrap it again (false)
 * @throws CryptoError `malformed_wrap`, `unknown_version`; `decryption_failed` for a wrong password or any other
 * difference; `invalid_argument` for an id that is no UUID
 */
export async function unwrap(
  wrapped: string,
  place: { under: WrappingKey; user_id: string; key_id: string; extractable?: boolean },
): Promise<DataKey> {
  const { under, user_id, extractable = false } = place;
  const key_id = uuidArgument("key_id", place.key_id);
  const members = associatedData(wrapMembers(under, user_id, key_id));
  const sealed = parseWrap(wrapped);
  const key = await opened(
    webcrypto().unwrapKey(
      "raw",
      join(sealed),
      under.key,
      gcm(sealed.nonce, members),
      "AES-GCM",
      extractable,
      DATA_KEY_USAGES,
    ),
  );
  return { key_id, key };
}

/** What is authenticated with a wrapped key: its place, and what was used to derive the key that wraps it. */
export function wrapMembers(
  under: WrappingKey,
  user_id: string,
  key_id: string,
): Record<string, string | number> {
  const members = {
    key_id: uuidArgument("key_id", key_id),
    kind: under.kind,
    purpose: PURPOSE,
    user_id: uuidArgument("user_id", user_id),
    v: VERSION,
  };
  switch (under.kind) {
    case "password":
      return { ...members, iterations: under.iterations, salt: under.salt };
    case "recovery":
      return members;
    case "device":
      return { ...members, device_id: uuidArgument("device_id", under.device_id) };
    case "epoch": {
      const wrapped_by = uuidArgument("wrapped_by", under.wrapped_by);
      if (wrapped_by === members.key_id) {
        throw new CryptoError("invalid_argument", "An epoch cannot wrap its own key");
      }
      return { ...members, wrapped_by };
    }
  }
}

function parseWrap(text: string): Sealed {
  const members = parseObject(text);
  if (typeof members?.v !== "string") throw malformed();
  if (members.v !== VERSION) {
    throw new CryptoError("unknown_version", "Wrap is of a version that this client cannot read");
  }
  const sealed = readSealedMembers(members);
  // Exactly one key of AES-256: WebCrypto would take a shorter one, and a long ciphertext can be made to open under
  // several passwords at once (see docs/encryption.md, "Keys").
  if (!sealed || sealed.ciphertext.length !== KEY_BYTES || Object.keys(members).length !== 4) {
    throw malformed();
  }
  return sealed;
}

function malformed(): CryptoError {
  return new CryptoError("malformed_wrap", "Wrap is not as docs/encryption.md says");
}

/**
 * Wraps: encrypted data keys, which the server stores but cannot use.
 *
 * @module
 */

import {
  decryptionFailed,
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
import { DATA_KEY_USAGES, type DataKey, type EpochKey, SECRET_USAGES } from "./data_key.ts";
import type { DeviceKey } from "./device_key.ts";
import { mayHaveId } from "./key_proof.ts";
import type { PasskeyKey } from "./passkey_key.ts";
import type { PasswordKey } from "./password_key.ts";
import type { RecoveryKey } from "./recovery_key.ts";

/** A key that wraps data keys. */
export type WrappingKey = PasswordKey | RecoveryKey | DeviceKey | PasskeyKey | EpochKey;

const VERSION = "2";

/** Keeps wraps apart from envelopes, because a data key makes both. */
const PURPOSE = "chat-key-wrap";

const KEY_BYTES = 32;

/**
 * Wraps a data key.
 *
 * @param dataKey an extractable key: from `generateDataKey`, or from `unwrap` with `extractable: true`
 * @param place `under`: the wrapping key; `user_id`: UUID of the user
 * @returns the text of a JSON object, for the member `wrap`. Store the members of `under`, except `key`, beside it
 * @throws CryptoError `key_not_extractable`; `invalid_argument` for an id that is not a UUID, or for an epoch that would
 * wrap itself
 */
export async function wrap(
  dataKey: Pick<DataKey, "key_id" | "key">,
  place: { under: WrappingKey; user_id: string },
): Promise<string> {
  return await wrapWithNonce(dataKey, place, randomBytes(NONCE_BYTES));
}

/** {@link wrap} with a given nonce, for test vectors. Using a nonce twice breaks the encryption and allows forgeries. */
export async function wrapWithNonce(
  dataKey: Pick<DataKey, "key_id" | "key">,
  { under, user_id }: { under: WrappingKey; user_id: string },
  nonce: Bytes,
): Promise<string> {
  const place = associatedData(wrapMembers(under, user_id, dataKey.key_id));
  if (!dataKey.key.extractable) {
    throw new CryptoError(
      "key_not_extractable",
      "Cannot wrap this key: unwrap it with extractable: true",
    );
  }
  const sealed = await webcrypto().wrapKey("raw", dataKey.key, under.key, gcm(nonce, place));
  return JSON.stringify({ v: VERSION, ...sealedMembers(split(nonce, sealed)) });
}

/**
 * Opens a wrap.
 *
 * @param wrapped the text that `wrap` returned
 * @param place `under`: the wrapping key; `user_id` and `key_id`: UUIDs of the user and of the epoch; `extractable`: true
 * to wrap the data key again (default false)
 * @throws CryptoError `malformed_wrap`, `unknown_version`; `decryption_failed` for a wrong password or any other
 * difference, or if the id belongs to another key; `invalid_argument` for an id that is not a UUID
 */
export async function unwrap(
  wrapped: string,
  place: { under: WrappingKey; user_id: string; key_id: string; extractable?: boolean },
): Promise<DataKey> {
  const { under, user_id, extractable = false } = place;
  const key_id = uuidArgument("key_id", place.key_id);
  const members = associatedData(wrapMembers(under, user_id, key_id));
  const sealed = parseWrap(wrapped);
  const unwrapAs = (algorithm: string, usages: KeyUsage[], exportable: boolean) =>
    opened(
      webcrypto().unwrapKey(
        "raw",
        join(sealed),
        under.key,
        gcm(sealed.nonce, members),
        algorithm,
        exportable,
        usages,
      ),
    );
  const key = await unwrapAs("AES-GCM", DATA_KEY_USAGES, extractable);
  const secret = await unwrapAs("HKDF", SECRET_USAGES, false);
  if (!await mayHaveId(secret, key_id)) throw decryptionFailed();
  return { key_id, key, secret };
}

/** Returns the members that are authenticated with a wrapped key: its place, and the parameters of the wrapping key. */
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
      return "iterations" in under
        ? { ...members, iterations: under.iterations, salt: under.salt }
        : {
          ...{ ...members, kdf: "argon2id", salt: under.salt },
          ...{ memory_kib: under.memory_kib, passes: under.passes },
        };
    case "recovery":
      return members;
    case "device":
      return { ...members, device_id: uuidArgument("device_id", under.device_id) };
    case "passkey": {
      const { credential_id, salt } = under;
      const device_id = uuidArgument("device_id", under.device_id);
      return { ...members, credential_id, device_id, salt };
    }
    case "epoch": {
      const wrapped_by = uuidArgument("wrapped_by", under.wrapped_by);
      if (wrapped_by === members.key_id) {
        throw new CryptoError("invalid_argument", "The key of an epoch cannot wrap itself");
      }
      return { ...members, wrapped_by };
    }
  }
}

function parseWrap(text: string): Sealed {
  const members = parseObject(text);
  if (typeof members?.v !== "string") throw malformed();
  if (members.v !== VERSION) {
    throw new CryptoError(
      "unknown_version",
      "The version of this wrap is unknown: update the client",
    );
  }
  const sealed = readSealedMembers(members);
  // Exactly one AES-256 key: WebCrypto would accept a shorter one, and a long ciphertext can be crafted to open under
  // several passwords (see docs/encryption.md, "Keys").
  if (!sealed || sealed.ciphertext.length !== KEY_BYTES || Object.keys(members).length !== 4) {
    throw malformed();
  }
  return sealed;
}

function malformed(): CryptoError {
  return new CryptoError("malformed_wrap", "This is not a valid wrap");
}

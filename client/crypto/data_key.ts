/**
 * The data key: encrypts the chats of one epoch, and wraps the data key of the epoch before.
 *
 * WebCrypto wraps only extractable keys. So a data key is extractable when it is made, and when `unwrap` is asked for an
 * extractable one to wrap it again (password change, new device, rotation). Do not keep such a key longer than that. All
 * other keys are never extractable.
 *
 * @module
 */

import { randomBytes, webcrypto } from "./aes_gcm.ts";
import { uuidArgument } from "./encoding.ts";
import { keyIdOf } from "./key_proof.ts";

/** The data key of one epoch of a user. */
export interface DataKey {
  /** UUID of the epoch. */
  readonly key_id: string;
  readonly key: CryptoKey;
  /** The same bytes, from which HKDF derives the id and proofs. */
  readonly secret: CryptoKey;
}

/** The data key of a newer epoch in its role of wrapping the data key of the epoch before. */
export interface EpochKey {
  readonly kind: "epoch";
  /** UUID of the newer epoch. */
  readonly wrapped_by: string;
  readonly key: CryptoKey;
}

/** What a wrapping key may do. */
export const WRAPPING_USAGES: KeyUsage[] = ["wrapKey", "unwrapKey"];

/** What a data key may do. */
export const DATA_KEY_USAGES: KeyUsage[] = ["encrypt", "decrypt", ...WRAPPING_USAGES];

/** What the secret of a data key may do. */
export const SECRET_USAGES: KeyUsage[] = ["deriveBits"];

/**
 * Makes the data key of a new epoch: 32 random bytes, and the UUID that belongs to them.
 *
 * The key is extractable so that it can be wrapped. Wrap it, then use the key that `unwrap` returns: it is not
 * extractable, and it proves that the wrap opens.
 */
export async function generateDataKey(): Promise<DataKey> {
  const bytes = randomBytes(32);
  const [key, secret] = await Promise.all([
    webcrypto().importKey("raw", bytes, "AES-GCM", true, DATA_KEY_USAGES),
    webcrypto().importKey("raw", bytes, "HKDF", false, SECRET_USAGES),
  ]);
  bytes.fill(0);
  return { key_id: await keyIdOf(secret), key, secret };
}

/** Turns the data key of an epoch into the key that wraps the data key of the epoch before. */
export function epochKey({ key_id, key }: Pick<DataKey, "key_id" | "key">): EpochKey {
  return { kind: "epoch", wrapped_by: uuidArgument("key_id", key_id), key };
}

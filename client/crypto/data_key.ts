/**
 * The data key: encrypts the chats of one epoch, and wraps the data key of the epoch before.
 *
 * WebCrypto wraps only extractable keys. So a data key is extractable when it is made, and when `unwrap` is asked for an
 * extractable one to wrap it again (password change, new device, rotation). Do not keep such a key longer than that. All
 * other keys are never extractable.
 *
 * @module
 */

import { AES_256_GCM, webcrypto } from "./aes_gcm.ts";
import { uuidArgument } from "./encoding.ts";

/** The data key of one epoch of a user. */
export interface DataKey {
  /** UUID of the epoch. */
  readonly key_id: string;
  readonly key: CryptoKey;
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

/**
 * Makes the data key of a new epoch: 32 random bytes and a random UUID.
 *
 * The key is extractable so that it can be wrapped. Wrap it, then use the key that `unwrap` returns: it is not
 * extractable, and it proves that the wrap opens.
 */
export async function generateDataKey(): Promise<DataKey> {
  const key = await webcrypto().generateKey(AES_256_GCM, true, DATA_KEY_USAGES);
  return { key_id: crypto.randomUUID(), key };
}

/** Turns the data key of an epoch into the key that wraps the data key of the epoch before. */
export function epochKey({ key_id, key }: DataKey): EpochKey {
  return { kind: "epoch", wrapped_by: uuidArgument("key_id", key_id), key };
}

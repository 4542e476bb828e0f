/**
 * The device key: wraps the data key for one device, which keeps it.
 *
 * @module
 */

import { AES_256_GCM, webcrypto } from "./aes_gcm.ts";
import { CryptoError } from "./crypto_error.ts";
import { WRAPPING_USAGES } from "./data_key.ts";
import { uuidArgument } from "./encoding.ts";

/** The key of one device. */
export interface DeviceKey {
  readonly kind: "device";
  /** UUID of the device. */
  readonly device_id: string;
  readonly key: CryptoKey;
}

const SECRET_BYTES = 32;

/**
 * Makes a device key: 32 random bytes that never leave WebCrypto, and a random UUID. A browser can store the object in
 * IndexedDB as it is.
 */
export async function generateDeviceKey(): Promise<DeviceKey> {
  const key = await webcrypto().generateKey(AES_256_GCM, false, WRAPPING_USAGES);
  return { kind: "device", device_id: crypto.randomUUID(), key };
}

/**
 * Imports a device key whose bytes are stored elsewhere, for example in the key store of the operating system.
 *
 * @param device_id UUID of the device
 * @param secret 32 random bytes that the device made
 * @throws CryptoError `invalid_argument` for another length, or for an id that is not a UUID
 */
export async function importDeviceKey(device_id: string, secret: Uint8Array): Promise<DeviceKey> {
  if (secret.length !== SECRET_BYTES) {
    throw new CryptoError(
      "invalid_argument",
      `The secret of a device must have ${SECRET_BYTES} bytes, not ${secret.length}`,
    );
  }
  const bytes = Uint8Array.from(secret);
  const key = await webcrypto().importKey("raw", bytes, "AES-GCM", false, WRAPPING_USAGES);
  return { kind: "device", device_id: uuidArgument("device_id", device_id), key };
}

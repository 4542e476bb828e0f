/**
 * The keys of encrypted chats, and where they come from.
 *
 * All are `CryptoKey`s that WebCrypto does not hand out (`extractable` is false), but for a data key that is to be
 * wrapped: WebCrypto wraps only what it may hand out. So a data key is extractable when it is made, and when `unwrap` is
 * told so in order to wrap it anew (password change, new device, rotation), and should live that long only.
 *
 * @module
 */

import { randomBytes, webcrypto } from "./aes_gcm.ts";
import { CryptoError } from "./crypto_error.ts";
import { type Bytes, fromBase64, toBase64, toUtf8, uuidArgument } from "./encoding.ts";
import { parseRecoveryKey } from "./recovery_key.ts";

/** The key of one epoch of a user: encrypts chats, and wraps the data key of the epoch before. */
export interface DataKey {
  /** UUID of the epoch. */
  readonly key_id: string;
  readonly key: CryptoKey;
}

/** The key of envelopes v1.0, which decrypts only. */
export interface V1Key {
  readonly v: "1.0";
  readonly key: CryptoKey;
}

/** How a password key is derived; stored beside its wrap. */
export interface PasswordParameters {
  /** Base64 of 16 to 64 random bytes. */
  readonly salt: string;
  /** Rounds of PBKDF2-HMAC-SHA256, 600,000 to 10,000,000. */
  readonly iterations: number;
}

/** Wraps data keys for who knows the password. */
export interface PasswordKey extends PasswordParameters {
  readonly kind: "password";
  readonly key: CryptoKey;
}

/** Wraps data keys for who has the recovery key on paper. */
export interface RecoveryKey {
  readonly kind: "recovery";
  readonly key: CryptoKey;
}

/** Wraps data keys for one device, which keeps it. */
export interface DeviceKey {
  readonly kind: "device";
  /** UUID of the device. */
  readonly device_id: string;
  readonly key: CryptoKey;
}

/** The data key of a newer epoch, as what wraps the data key of the one before. */
export interface EpochKey {
  readonly kind: "epoch";
  /** UUID of the newer epoch. */
  readonly wrapped_by: string;
  readonly key: CryptoKey;
}

/** A key that wraps data keys. */
export type WrappingKey = PasswordKey | RecoveryKey | DeviceKey | EpochKey;

/** What OWASP's Password Storage Cheat Sheet asks for of PBKDF2-HMAC-SHA256; a server that says less is not believed. */
const LEAST_ITERATIONS = 600_000;

/** A server that says more would keep the device busy for minutes. */
const MOST_ITERATIONS = 10_000_000;

const SALT_BYTES = { least: 16, made: 32, most: 64 };

/** The rounds of envelopes v1.0. */
const V1_ITERATIONS = 600_000;

const RECOVERY_INFO = "strongroom chat recovery key v2";

const AES_256 = { name: "AES-GCM", length: 256 };

/** What a key that wraps may do. */
const WRAPS: KeyUsage[] = ["wrapKey", "unwrapKey"];

/** What a data key may do: it wraps that of the epoch before. */
export const DATA_KEY_USAGES: KeyUsage[] = ["encrypt", "decrypt", ...WRAPS];

/**
 * Makes the data key of a new epoch: 32 random bytes and a random UUID.
 *
 * It is extractable, so that it can be wrapped. Wrap it, then use the one that `unwrap` answers: that one is not, and
 * the wrap has been tried.
 */
export async function generateDataKey(): Promise<DataKey> {
  const key = await webcrypto().generateKey(AES_256, true, DATA_KEY_USAGES);
  return { key_id: crypto.randomUUID(), key };
}

/**
 * The key that a password makes. That is meant to take long: 0.1 s on a desktop computer, 1 s on a slow telephone.
 *
 * @param password 1 character or more, not trimmed; taken in NFKC, as one keyboard writes "é" as one character and
 * another as two
 * @param parameters those stored beside a wrap, to unwrap it; none to wrap: a new salt of 32 bytes and 600,000 rounds
 * @throws CryptoError `invalid_argument` for an empty password, `not_text` for one with half of a character,
 * `key_parameters_refused` for parameters out of their ranges
 */
export async function derivePasswordKey(
  password: string,
  parameters: PasswordParameters = {
    salt: toBase64(randomBytes(SALT_BYTES.made)),
    iterations: LEAST_ITERATIONS,
  },
): Promise<PasswordKey> {
  const { salt, iterations } = parameters;
  const bytes = fromBase64(salt);
  if (!bytes || bytes.length < SALT_BYTES.least || bytes.length > SALT_BYTES.most) {
    throw new CryptoError("key_parameters_refused", "Salt is not base64 of 16 to 64 bytes");
  }
  if (
    !Number.isInteger(iterations) || iterations < LEAST_ITERATIONS || iterations > MOST_ITERATIONS
  ) {
    throw new CryptoError("key_parameters_refused", "Iterations are not 600000 to 10000000");
  }
  const key = await pbkdf2(password.normalize("NFKC"), bytes, iterations, WRAPS);
  return { kind: "password", salt, iterations, key };
}

/**
 * The key of a user's envelopes v1.0. Give it to `decrypt` only as long as there are such envelopes: they are not bound
 * to their place.
 *
 * @param password as it was typed: v1.0 does not normalise it
 * @param salt base64, 1 byte or more: `user_metadata.chat_kdf_salt`
 * @throws CryptoError `invalid_argument` for an empty password, `not_text` for one with half of a character,
 * `key_parameters_refused` for a salt that is no base64 or empty
 */
export async function deriveV1Key(password: string, salt: string): Promise<V1Key> {
  const bytes = fromBase64(salt);
  if (!bytes?.length) throw new CryptoError("key_parameters_refused", "Salt is not base64");
  return { v: "1.0", key: await pbkdf2(password, bytes, V1_ITERATIONS, ["decrypt"]) };
}

async function pbkdf2(
  password: string,
  salt: Bytes,
  iterations: number,
  usages: KeyUsage[],
): Promise<CryptoKey> {
  if (password === "") throw new CryptoError("invalid_argument", "Password is empty");
  const base = await webcrypto().importKey("raw", toUtf8(password), "PBKDF2", false, ["deriveKey"]);
  const algorithm = { name: "PBKDF2", hash: "SHA-256", salt, iterations };
  return await webcrypto().deriveKey(algorithm, base, AES_256, false, usages);
}

/**
 * The key that a recovery key makes.
 *
 * @param recoveryKey as `generateRecoveryKey` made it, or as somebody typed it
 * @throws CryptoError `malformed_recovery_key` or `recovery_key_mistyped`, as `parseRecoveryKey` does
 */
export async function deriveRecoveryKey(recoveryKey: string): Promise<RecoveryKey> {
  const secret = parseRecoveryKey(recoveryKey);
  const base = await webcrypto().importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  const algorithm = {
    name: "HKDF",
    hash: "SHA-256",
    salt: new Uint8Array(),
    info: toUtf8(RECOVERY_INFO),
  };
  return {
    kind: "recovery",
    key: await webcrypto().deriveKey(algorithm, base, AES_256, false, WRAPS),
  };
}

/**
 * Makes the key of a device: 32 random bytes that WebCrypto keeps, and a random UUID. In browsers the object is stored
 * in IndexedDB as it is.
 */
export async function generateDeviceKey(): Promise<DeviceKey> {
  const key = await webcrypto().generateKey(AES_256, false, WRAPS);
  return { kind: "device", device_id: crypto.randomUUID(), key };
}

/**
 * The key of a device that keeps its bytes elsewhere, such as in the key store of its operating system.
 *
 * @param device_id UUID of the device
 * @param secret 32 random bytes, made on the device
 * @throws CryptoError `invalid_argument` for another length, or an id that is no UUID
 */
export async function importDeviceKey(device_id: string, secret: Uint8Array): Promise<DeviceKey> {
  if (secret.length !== 32) {
    throw new CryptoError("invalid_argument", "Secret of a device is not 32 bytes");
  }
  const bytes = Uint8Array.from(secret);
  const key = await webcrypto().importKey("raw", bytes, "AES-GCM", false, WRAPS);
  return { kind: "device", device_id: uuidArgument("device_id", device_id), key };
}

/** The data key of an epoch, as what wraps and unwraps the data key of the epoch before it. */
export function epochKey({ key_id, key }: DataKey): EpochKey {
  return { kind: "epoch", wrapped_by: uuidArgument("key_id", key_id), key };
}

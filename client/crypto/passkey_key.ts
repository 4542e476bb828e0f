/**
 * The passkey key: what a passkey computes for one account and salt (the PRF extension of WebAuthn), and the key that it
 * becomes, which wraps the data key. `docs/passkeys.md` specifies both.
 *
 * @module
 */

import { webcrypto } from "./aes_gcm.ts";
import { CryptoError } from "./crypto_error.ts";
import { WRAPPING_USAGES } from "./data_key.ts";
import { type Bytes, fromBase64, toUtf8, uuidArgument } from "./encoding.ts";
import { hkdfKey } from "./hkdf.ts";

/** How the key of a passkey is derived, and what is stored beside its wrap. */
export interface PasskeyParameters {
  /** UUID that names the passkey, chosen at random. */
  readonly device_id: string;
  /** Id of the passkey in its authenticator, in base64url without padding. */
  readonly credential_id: string;
  /** Base64 of 32 random bytes. */
  readonly salt: string;
  /** The name of the passkey, encrypted. It is the only one that is not authenticated with the wrap. */
  readonly name: string;
}

/** A key that a passkey computed. */
export interface PasskeyKey extends PasskeyParameters {
  readonly kind: "passkey";
  readonly key: CryptoKey;
}

const SALT_BYTES = 32;
const OUTPUT_BYTES = 32;

/** Keeps what the passkey is asked for different from what it is asked for elsewhere, whatever salt the server sends. */
const INPUT_LABEL = "strongroom chat passkey v1";

/** Keeps this derivation different from all others. */
const KEY_LABEL = "strongroom chat passkey key v1";

/**
 * Makes the input for the passkey: SHA-256 of a label, the account and the salt.
 *
 * @param user_id UUID of the user
 * @param salt base64 of 32 bytes
 * @throws CryptoError `key_parameters_refused` for another salt
 */
export async function passkeyInput(user_id: string, salt: string): Promise<Bytes> {
  if (fromBase64(salt)?.length !== SALT_BYTES) {
    throw new CryptoError(
      "key_parameters_refused",
      `The salt of a passkey must be ${SALT_BYTES} bytes long`,
    );
  }
  const text = `${INPUT_LABEL}\n${uuidArgument("user_id", user_id)}\n${salt}`;
  return new Uint8Array(await webcrypto().digest("SHA-256", toUtf8(text)));
}

/**
 * Derives the wrapping key from what a passkey computed.
 *
 * @param output 32 bytes: the result `first` of the PRF extension
 * @param parameters of the passkey
 * @throws CryptoError `invalid_argument` for another length
 */
export async function derivePasskeyKey(
  output: Bytes,
  parameters: PasskeyParameters,
): Promise<PasskeyKey> {
  if (output.length !== OUTPUT_BYTES) {
    throw new CryptoError(
      "invalid_argument",
      `The result of a passkey must have ${OUTPUT_BYTES} bytes, not ${output.length}`,
    );
  }
  const { device_id, credential_id, salt, name } = parameters;
  const key = await hkdfKey(output, KEY_LABEL, WRAPPING_USAGES);
  return { kind: "passkey", device_id, credential_id, salt, name, key };
}

/**
 * The names of passkeys, encrypted under the data key: `docs/passkeys.md` specifies the format.
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
  sealedMembers,
  split,
  webcrypto,
} from "../crypto/aes_gcm.ts";
import { associatedData, type Bytes, fromUtf8, parseObject, toUtf8 } from "../crypto/encoding.ts";
import { hkdfBytes } from "../crypto/hkdf.ts";
import type { DataKey } from "../crypto/mod.ts";
import { pad, unpad } from "../crypto/padding.ts";

const LABEL = "strongroom chat passkey name v1";

/** Whose name it is. */
export interface NamePlace {
  readonly user_id: string;
  readonly device_id: string;
}

async function nameKey({ secret }: DataKey): Promise<CryptoKey> {
  const bytes = await hkdfBytes(secret, LABEL);
  return await webcrypto().importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
}

function placeOf({ user_id, device_id }: NamePlace, { key_id }: DataKey): Bytes {
  return associatedData({ device_id, key_id, purpose: "passkey-name", user_id, v: "1" });
}

/** Encrypts a name. */
export async function sealName(
  name: string,
  place: NamePlace,
  key: DataKey,
  nonce: Bytes = randomBytes(NONCE_BYTES),
): Promise<string> {
  const padded = pad(toUtf8(name), true);
  const parameters = gcm(nonce, placeOf(place, key));
  const sealed = await webcrypto().encrypt(parameters, await nameKey(key), padded);
  return JSON.stringify({ v: "1", ...sealedMembers(split(nonce, sealed)) });
}

/** Decrypts a name; undefined if it is that of another passkey or was changed. */
export async function openName(
  text: string,
  place: NamePlace,
  key: DataKey,
): Promise<string | undefined> {
  const members = parseObject(text);
  const sealed = members?.v === "1" ? readSealedMembers(members) : undefined;
  if (!sealed) return undefined;
  const parameters = gcm(sealed.nonce, placeOf(place, key));
  try {
    const padded = webcrypto().decrypt(parameters, await nameKey(key), join(sealed));
    return fromUtf8(unpad(new Uint8Array(await opened(padded))));
  } catch {
    return undefined;
  }
}

/**
 * Envelopes: encrypted contents of chats, each bound to its place.
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
import {
  associatedData,
  type Bytes,
  fromUtf8,
  isUuid,
  parseObject,
  toUtf8,
  uuidArgument,
} from "./encoding.ts";
import type { DataKey } from "./data_key.ts";
import { pad, unpad } from "./padding.ts";
import type { V1Key } from "./v1_key.ts";

/** A part of a chat: its title, its data, the segment with this number (0 to 2^53 - 1), or the attachment with this id. */
export type Part = "title" | "data" | number | `attachment/${string}`;

/** Where an envelope belongs. It does not open anywhere else. */
export interface Place {
  /** UUID of the owner. */
  user_id: string;
  /** UUID of the chat. */
  chat_id: string;
  part: Part;
}

/** An envelope that was parsed but not decrypted. */
export type Envelope =
  | { readonly v: "2"; readonly key_id: string; readonly sealed: Sealed }
  | { readonly v: "1"; readonly sealed: Sealed };

/** Number of members of an envelope v2: `v`, `key_id`, `nonce`, `ciphertext`, `mac`. */
const V2_MEMBERS = 5;

/**
 * Encrypts a content as an envelope v2, with a new random nonce.
 *
 * @param content a text or bytes
 * @param place where the envelope belongs; `key`: the data key of the current epoch; `padding`: false to leave the
 * length visible (default true, see `padmeLength`)
 * @returns the text of a JSON object
 * @throws CryptoError `not_text` for a text with half of a character; `invalid_argument` for an invalid place
 */
export async function encrypt(
  content: string | Uint8Array,
  place: Place & { key: DataKey; padding?: boolean },
): Promise<string> {
  return await encryptWithNonce(content, place, randomBytes(NONCE_BYTES));
}

/** {@link encrypt} with a given nonce, for test vectors. Using a nonce twice breaks the encryption and allows forgeries. */
export async function encryptWithNonce(
  content: string | Uint8Array,
  { key, padding = true, ...place }: Place & { key: DataKey; padding?: boolean },
  nonce: Bytes,
): Promise<string> {
  const members = envelopeMembers(place, key.key_id);
  const padded = pad(
    typeof content === "string" ? toUtf8(content) : bytesArgument(content),
    padding,
  );
  const sealed = await webcrypto().encrypt(gcm(nonce, associatedData(members)), key.key, padded);
  const { v, key_id } = members;
  return JSON.stringify({ v, key_id, ...sealedMembers(split(nonce, sealed)) });
}

/**
 * Decrypts an envelope v2 or v1.
 *
 * @param envelope the text of a JSON object
 * @param place where it was found; `keys`: the user's data keys, from which the envelope names one, and the key of v1
 * while such envelopes are expected
 * @returns the bytes of the content
 * @throws CryptoError `malformed_envelope`, `unknown_version`; `key_missing` if `keys` does not have its key;
 * `decryption_failed` if anything differs from what was encrypted; `invalid_argument` for an invalid place
 */
export async function decrypt(
  envelope: string,
  { keys, ...place }: Place & { keys: Iterable<DataKey | V1Key> },
): Promise<Uint8Array> {
  const read = parseEnvelope(envelope);
  if (read.v === "1") return await open(findKey(keys, read), read.sealed);

  const members = associatedData(envelopeMembers(place, read.key_id));
  return unpad(await open(findKey(keys, read), read.sealed, members));
}

/**
 * Decrypts an envelope whose content is a text.
 *
 * @returns the text
 * @throws CryptoError as {@link decrypt}, and `not_text` if the content is not text
 */
export async function decryptText(
  envelope: string,
  place: Place & { keys: Iterable<DataKey | V1Key> },
): Promise<string> {
  return fromUtf8(await decrypt(envelope, place));
}

/**
 * Parses an envelope without a key, to learn its version and which key it needs. The result is not authenticated.
 *
 * @throws CryptoError `malformed_envelope`, `unknown_version`
 */
export function parseEnvelope(text: string): Envelope {
  const members = parseObject(text);
  if (typeof members?.v !== "string") throw malformed();
  const sealed = readSealedMembers(members);
  switch (members.v) {
    case "1":
    // Clients write 1; some documents call the same format 1.0.
    case "1.0":
      if (!sealed) throw malformed();
      return { v: "1", sealed };
    case "2": {
      const { key_id } = members;
      // Another member would not be authenticated: anybody could write into it.
      if (!sealed || !isUuid(key_id) || Object.keys(members).length !== V2_MEMBERS) {
        throw malformed();
      }
      return { v: "2", key_id, sealed };
    }
    default:
      throw new CryptoError(
        "unknown_version",
        "The version of this envelope is unknown: update the client",
      );
  }
}

/** Returns the members that are authenticated with a content. */
export function envelopeMembers(place: Place, key_id: string) {
  return {
    chat_id: uuidArgument("chat_id", place.chat_id),
    key_id: uuidArgument("key_id", key_id),
    part: partArgument(place.part),
    user_id: uuidArgument("user_id", place.user_id),
    v: "2",
  };
}

const ATTACHMENT = "attachment/";

function partArgument(part: Part): string | number {
  if (part === "title" || part === "data") return part;
  if (typeof part === "number" && Number.isSafeInteger(part) && part >= 0) return part;
  if (typeof part === "string" && part.startsWith(ATTACHMENT)) {
    return ATTACHMENT + uuidArgument("part", part.slice(ATTACHMENT.length));
  }
  throw new CryptoError(
    "invalid_argument",
    'part must be "title", "data", a segment number or "attachment/ID"',
  );
}

/** Refuses an ArrayBuffer from a JavaScript caller: it has no `length` and would be encrypted as an empty content. */
function bytesArgument(content: Uint8Array): Uint8Array {
  if (!ArrayBuffer.isView(content)) {
    throw new CryptoError("invalid_argument", "The content must be a string or a Uint8Array");
  }
  return new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
}

function findKey(keys: Iterable<DataKey | V1Key>, envelope: Envelope): CryptoKey {
  for (const candidate of keys) {
    const matches = envelope.v === "1"
      ? "v" in candidate && candidate.v === "1"
      : "key_id" in candidate && candidate.key_id === envelope.key_id;
    if (matches) return candidate.key;
  }
  throw envelope.v === "1"
    ? new CryptoError("key_missing", "The envelope needs the key of format 1")
    : new CryptoError("key_missing", "The envelope needs the key of another epoch", envelope);
}

async function open(key: CryptoKey, sealed: Sealed, additionalData?: Bytes): Promise<Bytes> {
  const algorithm = gcm(sealed.nonce, additionalData);
  return new Uint8Array(await opened(webcrypto().decrypt(algorithm, key, join(sealed))));
}

function malformed(): CryptoError {
  return new CryptoError("malformed_envelope", "This is not a valid envelope");
}

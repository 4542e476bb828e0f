/**
 * Envelopes: contents of chats that only their owner can read, each bound to its place.
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
import type { DataKey, V1Key } from "./keys.ts";
import { pad, unpad } from "./padding.ts";

/** A part of a chat: its title, its data, the segment of this number (0 to 2^53 - 1), or the attachment of this id. */
export type Part = "title" | "data" | number | `attachment/${string}`;

/** Where an envelope belongs. It opens nowhere else. */
export interface Place {
  /** UUID of the owner. */
  user_id: string;
  /** UUID of the chat. */
  chat_id: string;
  part: Part;
}

/** An envelope that was read, but not decrypted. */
export type Envelope =
  | { readonly v: "2"; readonly key_id: string; readonly sealed: Sealed }
  | { readonly v: "1.0"; readonly sealed: Sealed };

/** Members of an envelope v2: `v`, `key_id`, `nonce`, `ciphertext`, `mac`. */
const V2_MEMBERS = 5;

/**
 * Encrypts a content as an envelope v2, under a new random nonce.
 *
 * @param content a text, or any bytes
 * @param place where it belongs, and `key`: the data key of the current epoch. `padding`: false to show the length
 * (default true: see `padmeLength`)
 * @returns the text of a JSON object
 * @throws CryptoError `not_text` for a text with half of a character; `invalid_argument` for a place that is none
 */
export async function encrypt(
  content: string | Uint8Array,
  place: Place & { key: DataKey; padding?: boolean },
): Promise<string> {
  return await encryptWithNonce(content, place, randomBytes(NONCE_BYTES));
}

/** {@link encrypt}, for test vectors: a nonce that is used twice gives the plaintexts and the key of all macs away. */
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
 * Decrypts an envelope, v2 or v1.0.
 *
 * @param envelope the text of a JSON object
 * @param place where it was found, and `keys`: data keys of the user, of which that named by the envelope is taken, and
 * the key of v1.0 while such envelopes are expected
 * @returns the bytes of the content
 * @throws CryptoError `malformed_envelope`, `unknown_version`; `key_missing` where its key is not among `keys`;
 * `decryption_failed` for whatever else is not as it was; `invalid_argument` for a place that is none
 */
export async function decrypt(
  envelope: string,
  { keys, ...place }: Place & { keys: Iterable<DataKey | V1Key> },
): Promise<Uint8Array> {
  const read = parseEnvelope(envelope);
  if (read.v === "1.0") return await open(findKey(keys, read), read.sealed);

  const members = associatedData(envelopeMembers(place, read.key_id));
  return unpad(await open(findKey(keys, read), read.sealed, members));
}

/**
 * Decrypts an envelope whose content is a text.
 *
 * @returns the text
 * @throws CryptoError as `decrypt` does, and `not_text` for other bytes
 */
export async function decryptText(
  envelope: string,
  place: Place & { keys: Iterable<DataKey | V1Key> },
): Promise<string> {
  return fromUtf8(await decrypt(envelope, place));
}

/**
 * Reads an envelope without a key: its version, and which key it needs. What this says is not authenticated.
 *
 * @throws CryptoError `malformed_envelope`, `unknown_version`
 */
export function parseEnvelope(text: string): Envelope {
  const members = parseObject(text);
  if (typeof members?.v !== "string") throw malformed();
  const sealed = readSealedMembers(members);
  switch (members.v) {
    case "1.0":
      if (!sealed) throw malformed();
      return { v: "1.0", sealed };
    case "2": {
      const { key_id } = members;
      // A member that is not authenticated would be a place for somebody else's words.
      if (!sealed || !isUuid(key_id) || Object.keys(members).length !== V2_MEMBERS) {
        throw malformed();
      }
      return { v: "2", key_id, sealed };
    }
    default:
      throw new CryptoError(
        "unknown_version",
        "Envelope is of a version that this client cannot read",
      );
  }
}

/** What is authenticated with a content. */
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
  throw new CryptoError("invalid_argument", "Part is no title, data, segment or attachment");
}

/** A JavaScript caller may pass an ArrayBuffer, which has no length: it would be encrypted as nothing. */
function bytesArgument(content: Uint8Array): Uint8Array {
  if (!ArrayBuffer.isView(content)) {
    throw new CryptoError("invalid_argument", "Content is neither a text nor a Uint8Array");
  }
  return new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
}

function findKey(keys: Iterable<DataKey | V1Key>, envelope: Envelope): CryptoKey {
  for (const candidate of keys) {
    const matches = envelope.v === "1.0"
      ? "v" in candidate && candidate.v === "1.0"
      : "key_id" in candidate && candidate.key_id === envelope.key_id;
    if (matches) return candidate.key;
  }
  throw envelope.v === "1.0"
    ? new CryptoError("key_missing", "Envelope needs the key of v1.0")
    : new CryptoError("key_missing", "Envelope needs the key of another epoch", envelope);
}

async function open(key: CryptoKey, sealed: Sealed, additionalData?: Bytes): Promise<Bytes> {
  const algorithm = gcm(sealed.nonce, additionalData);
  return new Uint8Array(await opened(webcrypto().decrypt(algorithm, key, join(sealed))));
}

function malformed(): CryptoError {
  return new CryptoError("malformed_envelope", "Envelope is not as docs/encryption.md says");
}

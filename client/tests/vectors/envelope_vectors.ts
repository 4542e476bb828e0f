/**
 * Test vectors of envelopes.
 *
 * @module
 */

import { gcm, sealedMembers, split } from "../../crypto/aes_gcm.ts";
import type { Part } from "../../crypto/mod.ts";
import { associatedData, type Bytes, fromUtf8, toBase64, toUtf8 } from "../../crypto/encoding.ts";
import { encryptWithNonce, envelopeMembers } from "../../crypto/envelope.ts";
import { pad } from "../../crypto/padding.ts";
import { bytesOf, counting, dataKey, toHex } from "../support/known_keys.ts";
import { type Epoch, flipFirstBit, NEW, OLD, OTHER_USER, pbkdf2, USER } from "./vector_inputs.ts";

const CHAT = "c4a70000-0000-4000-8000-00000000000a";
const OTHER_CHAT = "c4a70000-0000-4000-8000-00000000000b";
const ATTACHMENT = "attachment/a77ac000-0000-4000-8000-000000000001";

/** Envelopes of every part and of v1, and invalid ones. */
export async function envelopeVectors() {
  const envelopes = await Promise.all(ENVELOPES.map(envelopeVector));
  return {
    envelopes,
    envelopes_v1: await Promise.all([
      v1Vector("Hello from before", 0, "1.0"),
      v1Vector("", 1, "1.0"),
      v1Vector("Hello from Chuk Chat", 2, "1"),
    ]),
    envelopes_refused: await refusedEnvelopes(envelopes),
  };
}

interface EnvelopeInput {
  name: string;
  part: Part;
  epoch: Epoch;
  content: string | Uint8Array;
  padding: boolean;
}

const ENVELOPES: EnvelopeInput[] = [
  { name: "title", part: "title", epoch: OLD, content: "Trip to Oslo", padding: true },
  { name: "data", part: "data", epoch: OLD, content: '{"messages":[]}', padding: true },
  { name: "segment 0", part: 0, epoch: OLD, content: "Hello", padding: true },
  { name: "segment 1", part: 1, epoch: OLD, content: "Hello", padding: true },
  {
    name: "segment 9007199254740991",
    part: Number.MAX_SAFE_INTEGER,
    epoch: OLD,
    content: "The last",
    padding: true,
  },
  {
    name: "attachment, bytes that are no text",
    part: ATTACHMENT,
    epoch: OLD,
    content: Uint8Array.of(0xff, 0x00, 0x80, 0x00),
    padding: true,
  },
  { name: "of the next epoch", part: "data", epoch: NEW, content: "Hello", padding: true },
  {
    name: "characters of 1 to 4 bytes, composed and not, after a byte order mark",
    part: "data",
    epoch: OLD,
    content: "\ufeffé e\u0301 \u4f60\u597d 👩‍👩‍👧 \u0000",
    padding: true,
  },
  { name: "empty", part: "data", epoch: OLD, content: "", padding: true },
  { name: "empty, not padded", part: "data", epoch: OLD, content: "", padding: false },
  { name: "not padded", part: "title", epoch: OLD, content: "Trip to Oslo", padding: false },
  {
    name: "ends as padding does",
    part: 2,
    epoch: OLD,
    content: Uint8Array.of(0x41, 0x80, 0x00, 0x00),
    padding: false,
  },
  {
    name: "63 bytes, the longest of 64",
    part: "data",
    epoch: OLD,
    content: "a".repeat(63),
    padding: true,
  },
  { name: "64 bytes, padded to 72", part: 3, epoch: OLD, content: "a".repeat(64), padding: true },
];

async function envelopeVector({ name, part, epoch, content, padding }: EnvelopeInput, i: number) {
  const nonce = counting(0xa0 + i, 12);
  const place = { user_id: USER, chat_id: CHAT, part };
  const key = await dataKey(epoch.key_id, epoch.data_key);
  const bytes = typeof content === "string" ? toUtf8(content) : content;
  return {
    name,
    ...place,
    ...epoch,
    ...(typeof content === "string" ? { content } : {}),
    content_hex: toHex(bytes),
    padding,
    padded: toHex(pad(bytes, padding)),
    associated_data: fromUtf8(associatedData(envelopeMembers(place, epoch.key_id))),
    nonce: toHex(nonce),
    envelope: await encryptWithNonce(content, { ...place, key, padding }, nonce),
  };
}

const V1 = { password: "correct horse", salt: toBase64(counting(0x10, 16)) };

async function v1Vector(content: string, i: number, v: string) {
  const key = await pbkdf2(V1.password, V1.salt, 600_000);
  const nonce = counting(0xc0 + i, 12);
  return {
    ...V1,
    key: await bytesOf(key),
    content,
    nonce: toHex(nonce),
    envelope: JSON.stringify({ v, ...await seal(key, nonce, toUtf8(content)) }),
  };
}

/** Encrypts anything, for envelopes that no client writes. */
async function seal(key: CryptoKey, nonce: Bytes, plaintext: Bytes, associated?: Bytes) {
  const sealed = await crypto.subtle.encrypt(gcm(nonce, associated), key, plaintext);
  return sealedMembers(split(nonce, sealed));
}

type EnvelopeVector = Awaited<ReturnType<typeof envelopeVector>>;

async function refusedEnvelopes(vectors: EnvelopeVector[]) {
  const [title, data, segment] = vectors as [EnvelopeVector, EnvelopeVector, EnvelopeVector];
  const given = { user_id: USER, chat_id: CHAT, part: "data" as Part, keys: [OLD] };
  const whole = data.envelope;
  const members = JSON.parse(whole);
  const other = (changes: object) => JSON.stringify({ ...members, ...changes });
  const unpadded = await seal(
    (await dataKey(OLD.key_id, OLD.data_key)).key,
    counting(0xd0, 12),
    new Uint8Array(64),
    associatedData(envelopeMembers(given, OLD.key_id)),
  );
  const cut = toBase64(counting(1, 11));
  const failed = "decryption_failed";
  const malformed = "malformed_envelope";
  return [
    { name: "moved to another user", ...given, user_id: OTHER_USER, envelope: whole, code: failed },
    { name: "moved to another chat", ...given, chat_id: OTHER_CHAT, envelope: whole, code: failed },
    { name: "data as a title", ...given, part: "title", envelope: whole, code: failed },
    { name: "title as data", ...given, envelope: title.envelope, code: failed },
    { name: "data as segment 0", ...given, part: 0, envelope: whole, code: failed },
    { name: "segment 0 as segment 1", ...given, part: 1, envelope: segment.envelope, code: failed },
    { name: "segment as an attachment", ...given, part: ATTACHMENT, envelope: whole, code: failed },
    {
      name: "another key id, the same key",
      ...given,
      keys: [{ ...OLD, key_id: NEW.key_id }],
      envelope: other({ key_id: NEW.key_id }),
      code: failed,
    },
    {
      name: "the key id, another key",
      ...given,
      keys: [{ ...NEW, key_id: OLD.key_id }],
      envelope: whole,
      code: failed,
    },
    ...["nonce", "ciphertext", "mac"].map((member) => ({
      name: `first bit of ${member}`,
      ...given,
      envelope: other({ [member]: flipFirstBit(members[member]) }),
      code: failed,
    })),
    { name: "cut", ...given, envelope: other({ ciphertext: "" }), code: failed },
    {
      name: "authentic zeros without an end mark",
      ...given,
      envelope: other(unpadded),
      code: failed,
    },
    { name: "key not at hand", ...given, keys: [NEW], envelope: whole, code: "key_missing" },
    { name: "said to be v1", ...given, envelope: other({ v: "1" }), code: "key_missing" },
    { name: "said to be 1.0", ...given, envelope: other({ v: "1.0" }), code: "key_missing" },
    { name: "version 3", ...given, envelope: other({ v: "3" }), code: "unknown_version" },
    { name: "version as a number", ...given, envelope: other({ v: 2 }), code: malformed },
    { name: "no version", ...given, envelope: other({ v: undefined }), code: malformed },
    { name: "no key id", ...given, envelope: other({ key_id: undefined }), code: malformed },
    {
      name: "key id in upper case",
      ...given,
      envelope: other({ key_id: OLD.key_id.toUpperCase() }),
      code: malformed,
    },
    { name: "one member more", ...given, envelope: other({ note: "" }), code: malformed },
    { name: "nonce of 11 bytes", ...given, envelope: other({ nonce: cut }), code: malformed },
    { name: "mac of 11 bytes", ...given, envelope: other({ mac: cut }), code: malformed },
    { name: "no ciphertext", ...given, envelope: other({ ciphertext: null }), code: malformed },
    {
      name: "base64 without padding",
      ...given,
      envelope: other({ mac: members.mac.replaceAll("=", "") }),
      code: malformed,
    },
    {
      name: "base64 with bits that no byte has",
      ...given,
      envelope: other({ mac: "AAAAAAAAAAAAAAAAAAAAAB==" }),
      code: malformed,
    },
    {
      name: "base64url",
      ...given,
      envelope: other({ nonce: "____________----" }),
      code: malformed,
    },
    {
      name: "base64 with a line break",
      ...given,
      envelope: other({ ciphertext: `${members.ciphertext}\n` }),
      code: malformed,
    },
    { name: "array", ...given, envelope: `[${whole}]`, code: malformed },
    { name: "no JSON", ...given, envelope: whole.slice(1), code: malformed },
    { name: "empty", ...given, envelope: "", code: malformed },
  ];
}

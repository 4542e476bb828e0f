/**
 * Test vectors of keys and wraps.
 *
 * @module
 */

import {
  changeProof,
  changeProofHash,
  formatRecoveryKey,
  keyIdOf,
  keyProof,
  oldSignInPassword,
  signInPassword,
} from "../../crypto/mod.ts";
import { argon2idBytes } from "../../crypto/argon2id.ts";
import { hkdfBytes } from "../../crypto/hkdf.ts";
import { associatedData, fromBase64, fromUtf8, toBase64, toUtf8 } from "../../crypto/encoding.ts";
import { withChecksum } from "../../crypto/recovery_key.ts";
import { wrapMembers, wrapWithNonce } from "../../crypto/wrap.ts";
import {
  bytesOf,
  counting,
  dataKey,
  fromHex,
  toHex,
  wrappingKey,
  type WrappingSource,
} from "../support/known_keys.ts";
import {
  type Epoch,
  flipFirstBit,
  hex,
  NEW,
  OLD,
  OTHER_USER,
  pbkdf2,
  USER,
} from "./vector_inputs.ts";

const DEVICE = "de71ce00-0000-4000-8000-000000000001";
const STRANGE_ID = "0ddba110-0000-4000-8000-000000000001";

/** Keys from passwords and recovery keys, wraps of every kind, and invalid ones. */
export async function keyVectors() {
  const wraps = await Promise.all(WRAPS.map(wrapVector));
  return {
    passwords: await Promise.all(PASSWORDS.map(passwordVector)),
    passwords_argon2id: [await argon2idVector()],
    sign_in_passwords: [{
      email: "Ada@Example.com",
      password: PASSWORD.password,
      sign_in_password: await signInPassword("Ada@Example.com", PASSWORD.password),
      old_sign_in_password: await oldSignInPassword("Ada@Example.com", PASSWORD.password),
    }],
    key_ids: await Promise.all([OLD, NEW].map(keyIdVector)),
    recovery_keys: await Promise.all(RECOVERY_SECRETS.map(recoveryVector)),
    recovery_keys_refused: refusedRecoveryKeys(),
    wraps,
    wraps_refused: refusedWraps(wraps),
  };
}

const PASSWORD = {
  password: "correct horse battery staple",
  salt: toBase64(counting(0x40, 32)),
  iterations: 600_000,
};

const PASSWORDS = [
  { name: "ASCII", ...PASSWORD },
  {
    name: "normalised: e and an accent, a ligature, wide letters; not trimmed",
    password: " cafe\u0301 \ufb01n \uff21\uff22\uff23 ",
    salt: toBase64(counting(0x60, 16)),
    iterations: 600_000,
  },
  {
    name: "one character, more rounds",
    password: "\u{1f511}",
    salt: toBase64(counting(0x80, 64)),
    iterations: 600_001,
  },
];

async function passwordVector(vector: typeof PASSWORDS[number]) {
  const normalised = vector.password.normalize("NFKC");
  return {
    ...vector,
    password_utf8: toHex(toUtf8(normalised)),
    key: await bytesOf(await pbkdf2(normalised, vector.salt, vector.iterations)),
  };
}

const ARGON2ID = {
  password: PASSWORD.password,
  salt: toBase64(counting(0xa0, 32)),
  ...{ memory_kib: 19_456, passes: 2 },
};

async function argon2idVector() {
  const { password, salt, memory_kib, passes } = ARGON2ID;
  const secret = await argon2idBytes(password, fromBase64(salt)!, { memory_kib, passes }); // made above
  const key = await hkdfBytes(secret, "strongroom chat password key v3");
  return { ...ARGON2ID, secret: toHex(secret), key: toHex(key) };
}

async function keyIdVector({ key_id: random_id, data_key }: Epoch) {
  const { secret } = await dataKey(random_id, data_key);
  return {
    data_key,
    key_id: await keyIdOf(secret),
    proof: await keyProof(secret),
    change: {
      number: 7,
      proof: await changeProof(secret, 7),
      hash: await changeProofHash(secret, 7),
    },
  };
}

const RECOVERY_SECRETS = [
  hex(0x80, 32),
  "00".repeat(32),
  "ff".repeat(32),
  "0842108421".repeat(7).slice(0, 64), // all characters 1
];

const RECOVERY_KEY = formatRecoveryKey(counting(0x80, 32));

async function recoveryVector(secret: string) {
  const recovery_key = formatRecoveryKey(fromHex(secret));
  const base = await crypto.subtle.importKey("raw", fromHex(secret), "HKDF", false, ["deriveBits"]);
  const key = await crypto.subtle.deriveBits(
    {
      name: "HKDF",
      hash: "SHA-256",
      salt: new Uint8Array(),
      info: toUtf8("strongroom chat recovery key v2"),
    },
    base,
    256,
  );
  return {
    secret,
    recovery_key,
    also_read: [
      recovery_key.replaceAll("-", "").toLowerCase(),
      ` ${recovery_key.replaceAll("-", " ").replaceAll("0", "O").replaceAll("1", "l")}\n`,
      recovery_key.replaceAll("-", " \u2013 ").replaceAll("0", "o").replaceAll("1", "I"),
    ],
    key: toHex(new Uint8Array(key)),
  };
}

function refusedRecoveryKeys() {
  const [mistyped, malformed] = ["recovery_key_mistyped", "malformed_recovery_key"];
  const at = RECOVERY_KEY.indexOf("-") + 1;
  const swapped = RECOVERY_KEY.slice(0, at) + RECOVERY_KEY[at + 1] + RECOVERY_KEY[at] +
    RECOVERY_KEY.slice(at + 2);
  const changed = (to: string) => RECOVERY_KEY.slice(0, at) + to + RECOVERY_KEY.slice(at + 1);
  const zeros = new Array(54).fill(0);
  return [
    { name: "neighbours swapped", recovery_key: swapped, code: mistyped },
    { name: "one character changed", recovery_key: changed("Z"), code: mistyped },
    { name: "prefix changed", recovery_key: RECOVERY_KEY.replace("SR", "SS"), code: mistyped },
    { name: "no prefix, with its checksum", recovery_key: withChecksum(zeros), code: malformed },
    {
      name: "a bit more than the secret has, with its checksum",
      recovery_key: withChecksum([25, 24, ...zeros.slice(3), 1]),
      code: malformed,
    },
    { name: "a character that none has", recovery_key: changed("U"), code: malformed },
    { name: "one missing", recovery_key: RECOVERY_KEY.slice(0, -1), code: malformed },
    { name: "one more", recovery_key: `${RECOVERY_KEY}0`, code: malformed },
    { name: "empty", recovery_key: "", code: malformed },
  ];
}

const DEVICE_KEY = hex(0xe0, 32);

const WRAPS: (WrappingSource & { name: string; epoch: Epoch })[] = [
  { name: "password", epoch: NEW, kind: "password", ...PASSWORD },
  { name: "recovery", epoch: NEW, kind: "recovery", recovery_key: RECOVERY_KEY },
  { name: "device", epoch: NEW, kind: "device", device_id: DEVICE, wrapping_key: DEVICE_KEY },
  {
    name: "epoch: the older data key under the newer",
    epoch: OLD,
    kind: "epoch",
    wrapped_by: NEW.key_id,
    wrapping_key: NEW.data_key,
  },
  { name: "password by Argon2id", epoch: NEW, kind: "password", ...ARGON2ID },
];

async function wrapVector({ name, epoch, ...source }: typeof WRAPS[number], i: number) {
  const under = await wrappingKey(source);
  const nonce = counting(0xf0 + i, 12);
  const key = await dataKey(epoch.key_id, epoch.data_key, true);
  return {
    name,
    user_id: USER,
    ...epoch,
    ...source,
    associated_data: fromUtf8(associatedData(wrapMembers(under, USER, epoch.key_id))),
    nonce: toHex(nonce),
    wrap: await wrapWithNonce(key, { under, user_id: USER }, nonce),
  };
}

type WrapVector = Awaited<ReturnType<typeof wrapVector>>;

function refusedWraps(vectors: WrapVector[]) {
  const [password, recovery, device, epoch] = vectors.map((
    { name: _name, associated_data: _data, nonce: _nonce, data_key: _key, ...place },
  ) => place) as Record<string, unknown>[] as [Place, Place, Place, Place];
  const members = JSON.parse(device.wrap);
  const other = (changes: object) => JSON.stringify({ ...members, ...changes });
  const [failed, malformed] = ["decryption_failed", "malformed_wrap"];
  return [
    { name: "another password", ...password, password: "incorrect horse", code: failed },
    {
      name: "more rounds than it was made with",
      ...password,
      iterations: 600_001,
      code: failed,
    },
    { name: "another user", ...recovery, user_id: OTHER_USER, code: failed },
    { name: "another epoch", ...recovery, key_id: OLD.key_id, code: failed },
    { name: "another device", ...device, device_id: STRANGE_ID, code: failed },
    { name: "another kind", ...recovery, wrap: device.wrap, code: failed },
    { name: "wrapped by another epoch", ...epoch, wrapped_by: STRANGE_ID, code: failed },
    ...["nonce", "ciphertext", "mac"].map((member) => ({
      name: `first bit of ${member}`,
      ...device,
      wrap: other({ [member]: flipFirstBit(members[member]) }),
      code: failed,
    })),
    {
      name: "key of 16 bytes",
      ...device,
      wrap: other({ ciphertext: toBase64(counting(0, 16)) }),
      code: malformed,
    },
    {
      name: "ciphertext of 33 bytes",
      ...device,
      wrap: other({ ciphertext: toBase64(counting(0, 33)) }),
      code: malformed,
    },
    { name: "one member more", ...device, wrap: other({ kind: "device" }), code: malformed },
    { name: "no version", ...device, wrap: other({ v: undefined }), code: malformed },
    { name: "version 1", ...device, wrap: other({ v: "1" }), code: "unknown_version" },
    { name: "version 1.0", ...device, wrap: other({ v: "1.0" }), code: "unknown_version" },
    { name: "an envelope", ...device, wrap: other({ key_id: NEW.key_id }), code: malformed },
  ];
}

/** What is needed to open a wrap. */
type Place = WrappingSource & { user_id: string; key_id: string; wrap: string };

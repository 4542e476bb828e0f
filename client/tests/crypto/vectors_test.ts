/**
 * Checks the vectors with a second implementation, written from `docs/encryption.md` with node:crypto. It shares no code
 * with the client but Argon2id itself.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createDecipheriv, createHash, hkdfSync, pbkdf2Sync } from "node:crypto";

import { argon2id } from "hash-wasm";

import vectors from "../vectors/vectors.json" with { type: "json" };

/** RFC 8785, as far as these members need it. */
function canonical(members: Record<string, string | number>): string {
  const parts = Object.entries(members).map(([name, value]) =>
    `"${name}":${typeof value === "number" ? value : `"${value}"`}`
  );
  return `{${parts.sort().join(",")}}`;
}

function open(key: Buffer, text: string, associated = ""): Buffer {
  const { nonce, ciphertext, mac } = JSON.parse(text);
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64"));
  decipher.setAAD(Buffer.from(associated));
  decipher.setAuthTag(Buffer.from(mac, "base64"));
  return Buffer.concat([decipher.update(Buffer.from(ciphertext, "base64")), decipher.final()]);
}

function passwordKey(password: string, salt: string, iterations: number): Buffer {
  return pbkdf2Sync(password, Buffer.from(salt, "base64"), iterations, 32, "sha256");
}

async function argon2idKey(
  password: string,
  salt: string,
  { memory_kib, passes }: { memory_kib: number; passes: number },
  label = "strongroom chat password key v3",
): Promise<Buffer> {
  const secret = await argon2id({
    ...{ password, salt: Buffer.from(salt, "base64"), memorySize: memory_kib, iterations: passes },
    ...{ parallelism: 1, hashLength: 32, outputType: "binary" },
  });
  return Buffer.from(hkdfSync("sha256", secret, "", label, 32));
}

/** Crockford's alphabet by its rule: digits and letters without I, L, O, U. */
const ALPHABET = [..."0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"].filter((c) => !"ILOU".includes(c));

/**
 * The checksum by long division over GF(32), where the client shifts bits. The generator as BIP-173 gives it, in powers
 * of x from 5 down: g(x) = x^6 + {29}x^5 + {22}x^4 + {20}x^3 + {21}x^2 + {29}x + {18}; the field is GF(2)[a] modulo
 * a^5 + a^3 + 1.
 */
function remainder(values: number[]): number[] {
  const times = (a: number, b: number): number => {
    let product = 0;
    for (let bit = 0; bit < 5; bit++) if (b & (1 << bit)) product ^= a << bit;
    for (let bit = 8; bit >= 5; bit--) if (product & (1 << bit)) product ^= 0b101001 << (bit - 5);
    return product;
  };
  const rest = [1, ...values];
  for (let i = 0; i + 6 < rest.length; i++) {
    const factor = rest[i]!;
    [1, 29, 22, 20, 21, 29, 18].forEach((term, j) => rest[i + j]! ^= times(factor, term));
  }
  return rest.slice(-6);
}

function recoverySecret(recoveryKey: string): Buffer {
  const digits = [...recoveryKey.replaceAll("-", "")].map((c) => ALPHABET.indexOf(c));
  assert.equal(digits.length, 60);
  const constant = [...(0x2bc830a3).toString(2).padStart(30, "0").matchAll(/.{5}/g)]
    .map(([bits]) => parseInt(bits, 2));
  assert.deepEqual(remainder(digits), constant);
  const bits = digits.slice(2, 54).map((digit) => digit.toString(2).padStart(5, "0")).join("");
  assert.equal(bits.slice(256), "0000");
  return Buffer.from(BigInt(`0b${bits.slice(0, 256)}`).toString(16).padStart(64, "0"), "hex");
}

function recoveryWrappingKey(secret: Buffer): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "", "strongroom chat recovery key v2", 32));
}

Deno.test("vectors: lengths are padded by the Padmé formula, to at least 64 bytes", () => {
  for (const { length, padded } of vectors.padding) {
    const l = Math.max(length, 64);
    const e = 31 - Math.clz32(l);
    const s = 32 - Math.clz32(e);
    const mask = (1 << (e - s)) - 1;
    assert.equal(padded, (l + mask) & ~mask, `${length}`);
  }
});

Deno.test("vectors: passwords are normalised and derived", () => {
  for (const { name, password, password_utf8, salt, iterations, key } of vectors.passwords) {
    const bytes = Buffer.from(password.normalize("NFKC"));
    assert.equal(bytes.toString("hex"), password_utf8, name);
    assert.equal(passwordKey(bytes.toString(), salt, iterations).toString("hex"), key, name);
  }
});

Deno.test("vectors: passwords are derived by Argon2id, and split by purpose", async () => {
  for (const { password, salt, key, ...cost } of vectors.passwords_argon2id) {
    assert.equal((await argon2idKey(password, salt, cost)).toString("hex"), key);
  }
  for (const { email, password, sign_in_password } of vectors.sign_in_passwords) {
    const label = "strongroom sign-in v3";
    const salt = createHash("sha256").update(`${label}\n${email.toLowerCase()}`).digest("base64");
    const value = await argon2idKey(password, salt, { memory_kib: 19_456, passes: 2 }, label);
    assert.equal(value.toString("base64"), sign_in_password);
  }
});

Deno.test("vectors: ids and proofs are derived from the data key", () => {
  for (const { data_key, key_id, proof, change } of vectors.key_ids) {
    const derive = (info: string) =>
      Buffer.from(hkdfSync("sha256", Buffer.from(data_key, "hex"), "", info, 32));
    const digits = [...derive("strongroom chat key id v3").subarray(0, 16).toString("hex")];
    digits[12] = "8";
    digits[16] = (parseInt(digits[16]!, 16) % 4 + 8).toString(16); // the variant of RFC 9562
    assert.equal(key_id.replaceAll("-", ""), digits.join(""));
    assert.match(key_id, /^.{8}-.{4}-8.{3}-[89ab].{3}-.{12}$/);
    assert.equal(derive("strongroom chat key proof v3").toString("base64"), proof);
    const shown = derive(`strongroom chat key change v3 ${change.number}`);
    assert.equal(shown.toString("base64"), change.proof);
    assert.equal(createHash("sha256").update(shown).digest("base64"), change.hash);
  }
});

Deno.test("vectors: recovery keys have the right secret, checksum and wrapping key", () => {
  for (const { secret, recovery_key, key } of vectors.recovery_keys) {
    assert.match(recovery_key, /^SR[0-9A-Z]{3}(-[0-9A-Z]{5}){11}$/);
    assert.equal(recoverySecret(recovery_key).toString("hex"), secret);
    assert.equal(recoveryWrappingKey(Buffer.from(secret, "hex")).toString("hex"), key);
  }
});

Deno.test("vectors: wraps open to their data key, with their associated data", async () => {
  for (const vector of vectors.wraps) {
    const { name, user_id, key_id, kind, associated_data } = vector;
    const own: Record<string, string | number> = {};
    let key: Buffer;
    if (kind === "password") {
      const { password, salt, iterations, memory_kib, passes } = vector as Required<typeof vector>;
      if (iterations === undefined) {
        Object.assign(own, { salt, kdf: "argon2id", memory_kib, passes });
        key = await argon2idKey(password, salt, { memory_kib, passes });
      } else {
        Object.assign(own, { salt, iterations });
        key = passwordKey(password, salt, iterations);
      }
    } else if (kind === "recovery") {
      key = recoveryWrappingKey(recoverySecret(vector.recovery_key!));
    } else {
      if (kind === "device") own.device_id = vector.device_id!;
      if (kind === "epoch") own.wrapped_by = vector.wrapped_by!;
      key = Buffer.from(vector.wrapping_key!, "hex");
    }
    const members = { v: "2", purpose: "chat-key-wrap", kind, user_id, key_id, ...own };
    assert.equal(canonical(members), associated_data, name);
    assert.equal(open(key, vector.wrap, associated_data).toString("hex"), vector.data_key, name);
  }
});

Deno.test("vectors: envelopes open to their content, with their associated data", () => {
  for (const vector of vectors.envelopes) {
    const { name, user_id, chat_id, part, key_id, data_key, envelope } = vector;
    const associated = canonical({ v: "2", user_id, chat_id, part, key_id });
    assert.equal(associated, vector.associated_data, name);
    const padded = open(Buffer.from(data_key, "hex"), envelope, associated);
    assert.equal(padded.toString("hex"), vector.padded, name);
    const content = padded.subarray(0, padded.lastIndexOf(0x80));
    assert.equal(content.toString("hex"), vector.content_hex, name);
    if (vector.content !== undefined) assert.equal(content.toString(), vector.content, name);
    assert.equal(JSON.parse(envelope).key_id, key_id, name);
    assert.equal(Buffer.from(JSON.parse(envelope).nonce, "base64").toString("hex"), vector.nonce);
  }
});

Deno.test("vectors: envelopes v1 open to their content", () => {
  for (const { password, salt, key, content, envelope } of vectors.envelopes_v1) {
    assert.equal(passwordKey(password, salt, 600_000).toString("hex"), key);
    assert.equal(open(Buffer.from(key, "hex"), envelope).toString(), content);
  }
});

Deno.test("vectors: no nonce is used twice under one key", () => {
  const used = [...vectors.envelopes, ...vectors.wraps].map((vector) => {
    const key = "envelope" in vector
      ? vector.data_key
      : vector.wrapping_key ?? vector.password ?? vector.recovery_key;
    return createHash("sha256").update(`${key} ${vector.nonce}`).digest("hex");
  });
  assert.equal(new Set(used).size, used.length);
});

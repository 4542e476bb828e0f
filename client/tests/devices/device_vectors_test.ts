/**
 * A second implementation of docs/device-approval.md and docs/passkeys.md, which opens each vector. CPace has vectors of
 * its own.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createDecipheriv, createHash, hkdfSync } from "node:crypto";

import { readCode } from "../../devices/approval_code.ts";
import vectors from "../vectors/vectors.json" with { type: "json" };

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

function derived(secret: string, label: string): Buffer {
  return Buffer.from(hkdfSync("sha256", Buffer.from(secret, "hex"), "", label, 32));
}

/** Decrypts the text of a sealed JSON object, and returns the bytes. */
function open(text: string, key: Buffer, place: string, version = "1"): Buffer {
  const { v, nonce, ciphertext, mac, ...more } = JSON.parse(text);
  assert.deepEqual([v, more], [version, {}]);
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64"));
  decipher.setAAD(Buffer.from(place));
  decipher.setAuthTag(Buffer.from(mac, "base64"));
  return Buffer.concat([decipher.update(ciphertext, "base64"), decipher.final()]);
}

/** Removes the padding of ISO/IEC 7816-4. */
function unpadded(bytes: Buffer): string {
  assert.equal(bytes.length % 8, 0);
  return bytes.subarray(0, bytes.lastIndexOf(0x80)).toString();
}

Deno.test("vectors: the messages of an approval open with the secret of the exchange", () => {
  for (const vector of vectors.approvals) {
    const { user_id, approval_id, secret, code, qr, share, key_id, data_key } = vector;
    assert.deepEqual(readCode(qr), { id: approval_id, code, share });
    const place = (message: string) =>
      `{"approval_id":"${approval_id}","message":"${message}","purpose":"device-approval",` +
      `"user_id":"${user_id}","v":"1"}`;
    const label = "strongroom device approval v1";
    const hello = open(vector.hello, derived(secret, `${label} hello`), place("hello"));
    assert.deepEqual(JSON.parse(unpadded(hello)), vector.hello_content);
    const answer = open(vector.answer, derived(secret, `${label} answer`), place("answer"));
    assert.deepEqual(JSON.parse(unpadded(answer)), vector.answer_content);
    const wrapped = `{"device_id":"${approval_id}","key_id":"${key_id}","kind":"device",` +
      `"purpose":"chat-key-wrap","user_id":"${user_id}","v":"2"}`;
    const { wrap } = vector.answer_content;
    const key = open(wrap, derived(secret, `${label} wrap`), wrapped, "2");
    assert.equal(key.toString("hex"), data_key);
  }
});

Deno.test("vectors: the wrap and the name of a passkey open with what the passkey computed", () => {
  for (const vector of vectors.passkeys) {
    const { user_id, key_id, data_key, device_id, credential_id, salt, output } = vector;
    assert.equal(vector.input, sha256(`strongroom chat passkey v1\n${user_id}\n${salt}`));
    const place = `{"credential_id":"${credential_id}","device_id":"${device_id}",` +
      `"key_id":"${key_id}","kind":"passkey","purpose":"chat-key-wrap","salt":"${salt}",` +
      `"user_id":"${user_id}","v":"2"}`;
    assert.equal(vector.associated_data, place);
    const key = open(vector.wrap, derived(output, "strongroom chat passkey key v1"), place, "2");
    assert.equal(key.toString("hex"), data_key);
    const namePlace = `{"device_id":"${device_id}","key_id":"${key_id}",` +
      `"purpose":"passkey-name","user_id":"${user_id}","v":"1"}`;
    const name = open(vector.name, derived(data_key, "strongroom chat passkey name v1"), namePlace);
    assert.equal(unpadded(name), vector.name_content);
  }
});

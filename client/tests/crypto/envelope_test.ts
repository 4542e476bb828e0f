import assert from "node:assert/strict";
import fc from "fast-check";

import { coded } from "../support/assertions.ts";
import { dataKey, fromHex, toHex } from "../support/known_keys.ts";
import { soak } from "../support/soak.ts";
import { gcm, join, readSealedMembers } from "../../crypto/aes_gcm.ts";
import {
  decrypt,
  decryptText,
  deriveV1Key,
  encrypt,
  generateDataKey,
  parseEnvelope,
  type Part,
} from "../../crypto/mod.ts";
import { fromBase64 } from "../../crypto/encoding.ts";
import { encryptWithNonce } from "../../crypto/envelope.ts";
import vectors from "../vectors/vectors.json" with { type: "json" };

const first = vectors.envelopes[0]!;
const PLACE = { user_id: first.user_id, chat_id: first.chat_id, part: "data" as Part };

Deno.test("envelopes: the client writes and reads the vectors", async () => {
  for (const vector of vectors.envelopes) {
    const { user_id, chat_id, key_id, data_key, padding, nonce, envelope } = vector;
    const place = { user_id, chat_id, part: vector.part as Part };
    const key = await dataKey(key_id, data_key);
    const content = vector.content ?? fromHex(vector.content_hex);
    const made = await encryptWithNonce(content, { ...place, key, padding }, fromHex(nonce));
    assert.equal(made, envelope, vector.name);
    const read = await decrypt(envelope, { ...place, keys: [key] });
    assert.equal(toHex(read), vector.content_hex, vector.name);
    if (vector.content === undefined) continue;
    assert.equal(await decryptText(envelope, { ...place, keys: [key] }), vector.content);
  }
});

Deno.test("envelopes v1: the client reads the vectors", async () => {
  for (const { password, salt, content, envelope } of vectors.envelopes_v1) {
    const keys = [await deriveV1Key(password, salt)];
    assert.equal(await decryptText(envelope, { ...PLACE, keys }), content);
    assert.equal(parseEnvelope(envelope).v, "1");
  }
});

Deno.test("envelopes: the invalid vectors are refused", async () => {
  for (const { name, user_id, chat_id, part, keys, envelope, code } of vectors.envelopes_refused) {
    const opened = decrypt(envelope, {
      user_id,
      chat_id,
      part: part as Part,
      keys: await Promise.all(keys.map(({ key_id, data_key }) => dataKey(key_id, data_key))),
    });
    await assert.rejects(opened, coded(code), name);
  }
});

Deno.test("envelopes: no envelope opens with any bit of its text flipped", async () => {
  const keys = [
    await dataKey(first.key_id, first.data_key),
    await deriveV1Key(vectors.envelopes_v1[0]!.password, vectors.envelopes_v1[0]!.salt),
  ];
  for (const { envelope } of [first, vectors.envelopes_v1[0]!]) {
    const place = { ...PLACE, part: "title" as Part, keys };
    await decrypt(envelope, place);
    for (const flipped of flips(new TextEncoder().encode(envelope))) {
      const text = new TextDecoder().decode(flipped);
      const refused = await decrypt(text, place).then(() => false, (error) => {
        assert.match(
          error.code,
          /^(decryption_failed|key_missing|malformed_envelope|unknown_version)$/,
        );
        return true;
      });
      assert.ok(refused, text);
    }
  }
});

Deno.test("envelopes: no envelope opens with any bit of nonce, ciphertext, mac or associated data flipped", async () => {
  const { key } = await dataKey(first.key_id, first.data_key);
  const sealed = readSealedMembers(JSON.parse(first.envelope))!; // a vector
  const associated = new TextEncoder().encode(first.associated_data);
  const opens = (
    nonce: Uint8Array<ArrayBuffer>,
    bytes: Uint8Array<ArrayBuffer>,
    data = associated,
  ) => crypto.subtle.decrypt(gcm(nonce, data), key, bytes).then(() => true, () => false);
  assert.ok(await opens(sealed.nonce, join(sealed)));
  for (const nonce of flips(sealed.nonce)) assert.ok(!await opens(nonce, join(sealed)));
  for (const bytes of flips(join(sealed))) assert.ok(!await opens(sealed.nonce, bytes));
  for (const data of flips(associated)) assert.ok(!await opens(sealed.nonce, join(sealed), data));
});

Deno.test("envelopes: no envelope opens in another place", async () => {
  const segment = vectors.envelopes.find(({ part }) => part === 1)!; // there is one
  const key = await dataKey(segment.key_id, segment.data_key);
  const place = { user_id: segment.user_id, chat_id: segment.chat_id, part: 1 as Part };
  await decrypt(segment.envelope, { ...place, keys: [key] });
  const places = [
    ...otherIds(place.user_id).map((user_id) => ({ ...place, user_id, keys: [key] })),
    ...otherIds(place.chat_id).map((chat_id) => ({ ...place, chat_id, keys: [key] })),
    ...Array.from({ length: 52 }, (_, bit) => (bit === 0 ? 0 : 1 + 2 ** bit))
      .map((part) => ({ ...place, part, keys: [key] })),
    ...["title" as const, "data" as const, `attachment/${place.chat_id}` as const]
      .map((part) => ({ ...place, part, keys: [key] })),
  ];
  for (const other of places) {
    await assert.rejects(decrypt(segment.envelope, other), coded("decryption_failed"));
  }
  // The same key under another name.
  for (const key_id of otherIds(segment.key_id)) {
    const envelope = segment.envelope.replace(segment.key_id, key_id);
    const opened = decrypt(envelope, { ...place, keys: [{ ...key, key_id }] });
    await assert.rejects(opened, coded("decryption_failed"));
  }
});

Deno.test("envelopes: an encrypted content can be read in its place, and only there", async () => {
  const keys = [await generateDataKey(), await generateDataKey()];
  const part = fc.oneof(
    fc.constantFrom<Part>("title", "data"),
    fc.nat().map((number): Part => number),
    fc.uuid().map((id): Part => `attachment/${id}`),
  );
  const place = fc.record({ user_id: fc.uuid(), chat_id: fc.uuid(), part });
  const content = fc.oneof(fc.string({ unit: "binary" }), fc.uint8Array({ maxLength: 300 }));
  await fc.assert(
    fc.asyncProperty(
      place,
      place,
      content,
      fc.boolean(),
      fc.boolean(),
      async (here, there, content, padding, newer) => {
        const key = keys[newer ? 1 : 0]!;
        const envelope = await encrypt(content, { ...here, key, padding });
        if (typeof content === "string") {
          assert.equal(await decryptText(envelope, { ...here, keys }), content);
        } else {
          assert.deepEqual(await decrypt(envelope, { ...here, keys }), content);
        }
        fc.pre(JSON.stringify(here) !== JSON.stringify(there));
        await assert.rejects(decrypt(envelope, { ...there, keys }), coded("decryption_failed"));
      },
    ),
    { numRuns: 200 * soak },
  );
});

Deno.test("envelopes: UUIDs in upper and lower case are the same place", async () => {
  const key = await generateDataKey();
  const upper = {
    user_id: PLACE.user_id.toUpperCase(),
    chat_id: PLACE.chat_id.toUpperCase(),
    part: `attachment/${PLACE.chat_id.toUpperCase()}` as Part,
    key: { ...key, key_id: key.key_id.toUpperCase() },
  };
  const envelope = await encrypt("Hello", upper);
  const part = `attachment/${PLACE.chat_id}` as Part;
  assert.equal(await decryptText(envelope, { ...PLACE, part, keys: [key] }), "Hello");
});

Deno.test("envelopes: contents of the same padded length have the same size, and nonces differ", async () => {
  const key = await generateDataKey();
  const made = await Promise.all(
    ["", "yes", "no", "a".repeat(63), "a".repeat(63)].map((text) =>
      encrypt(text, { ...PLACE, key })
    ),
  );
  assert.equal(new Set(made.map(({ length }) => length)).size, 1);
  assert.equal(new Set(made.map((text) => JSON.parse(text).nonce)).size, made.length);
  const bare = await encrypt("yes", { ...PLACE, key, padding: false });
  assert.equal(fromBase64(JSON.parse(bare).ciphertext)!.length, 4);
});

Deno.test("envelopes: 8 MB of content can be encrypted and decrypted", async () => {
  const key = await generateDataKey();
  const content = "0123456789abcdef".repeat(500_000);
  const envelope = await encrypt(content, { ...PLACE, key });
  assert.equal(await decryptText(envelope, { ...PLACE, keys: [key] }), content);
});

Deno.test("envelopes: half a character is refused, and so are bytes that are not text", async () => {
  const key = await generateDataKey();
  const half = "👍".slice(0, 1);
  await assert.rejects(encrypt(half, { ...PLACE, key }), coded("not_text"));
  const bytes = await encrypt(Uint8Array.of(0xff), { ...PLACE, key });
  await assert.rejects(decryptText(bytes, { ...PLACE, keys: [key] }), coded("not_text"));
});

Deno.test("envelopes: an invalid content is refused, not encrypted as an empty one", async () => {
  const key = await generateDataKey();
  for (const content of [new ArrayBuffer(3), [1, 2, 3], undefined, null, 7]) {
    await assert.rejects(
      encrypt(content as unknown as string, { ...PLACE, key }),
      coded("invalid_argument"),
    );
  }
  const part = new Uint8Array([0, 1, 2, 3]).subarray(1, 3);
  const envelope = await encrypt(part, { ...PLACE, key });
  assert.deepEqual(await decrypt(envelope, { ...PLACE, keys: [key] }), part);
});

Deno.test("envelopes: the error names the missing key", async () => {
  const opened = decrypt(first.envelope, { ...PLACE, keys: [await generateDataKey()] });
  await assert.rejects(opened, { code: "key_missing", key_id: first.key_id });
});

Deno.test("envelopes: invalid places are refused", async () => {
  const key = await generateDataKey();
  const places = [
    { user_id: "me" },
    { user_id: `${PLACE.user_id}0` },
    { chat_id: "" },
    { chat_id: undefined as unknown as string },
    { part: -1 },
    { part: 1.5 },
    { part: NaN },
    { part: 2 ** 53 },
    { part: "attachment/1" as Part },
    { part: "0" as Part },
    { part: undefined as unknown as Part },
  ];
  for (const change of places) {
    await assert.rejects(
      encrypt("", { ...PLACE, key, ...change }),
      coded("invalid_argument"),
      JSON.stringify(change),
    );
  }
});

function* flips(bytes: Uint8Array): Generator<Uint8Array<ArrayBuffer>> {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Uint8Array.from(bytes);
    flipped[bit >> 3]! ^= 1 << (bit & 7); // within
    yield flipped;
  }
}

/** Returns the UUIDs that differ in one bit. */
function otherIds(id: string): string[] {
  const bytes = fromHex(id.replaceAll("-", ""));
  return Array.from(
    flips(bytes),
    (flipped) => toHex(flipped).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"),
  );
}

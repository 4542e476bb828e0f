/**
 * Checks the vectors of heads with a second implementation, written from `docs/verified-history.md` with node:crypto. It
 * shares no code with the client.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createDecipheriv, createHash, createHmac, hkdfSync } from "node:crypto";

import { openHistory, parseHead, verifyHead } from "../../crypto/mod.ts";
import { dataKey } from "../support/known_keys.ts";
import vectors from "../vectors/vectors.json" with { type: "json" };

const sha256 = (...parts: (string | Buffer)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();

const derived = (data_key: string, label: string) =>
  Buffer.from(hkdfSync("sha256", Buffer.from(data_key, "hex"), "", label, 32));

const hmac = (key: Buffer, text: string) => createHmac("sha256", key).update(text).digest();

Deno.test("vectors: heads of chats have the right fold and mac", () => {
  let fold: Buffer = Buffer.alloc(0);
  for (const vector of vectors.heads) {
    const { number, encrypted_data, encrypted_title, head, ...place } = vector;
    if (number !== undefined) {
      const count = Buffer.alloc(8);
      count.writeBigUInt64BE(BigInt(number));
      fold = sha256(fold, count, sha256(encrypted_data));
    } else if (encrypted_data !== undefined) fold = sha256(encrypted_data);
    assert.equal(fold.toString("base64"), vector.fold);

    const title = encrypted_title === null ? "" : sha256(encrypted_title).toString("base64");
    const text = `{"chat_id":"${place.chat_id}","data_version":${place.data_version},` +
      `"fold":"${place.fold}","is_starred":${
        place.is_starred ? 1 : 0
      },"key_id":"${place.key_id}",` +
      `"next_segment":${place.next_segment},"purpose":"chat-head","title":"${title}",` +
      `"user_id":"${place.user_id}","v":"1","version":${place.version}}`;
    const mac = hmac(derived(place.data_key, "strongroom chat head v1"), text).toString("base64");
    const { key_id, version } = place;
    assert.deepEqual(JSON.parse(head), {
      v: "1",
      version: `${version}`,
      key_id,
      fold: vector.fold,
      mac,
    });
  }
});

Deno.test("vectors: heads of accounts open, have the right sum, and show the right code", () => {
  for (const [index, vector] of vectors.histories.entries()) {
    const { user_id, key_id, data_key, counter, content, sealed, code } = vector;
    const term = (chat_id: string, head: string) =>
      hmac(derived(data_key, "strongroom chat history term v1"), `${chat_id}\n${head}`);
    const { chat_id, head } = vectors.heads[index]!; // one for each
    assert.equal(term(chat_id, head).toString("base64"), vector.term);
    const other = term(user_id, "the head of another chat");
    const sum = term(chat_id, head).map((byte, at) => byte ^ other[at]!);
    assert.equal(Buffer.from(sum).toString("base64"), content.sum);

    const { v, nonce, ciphertext, mac } = JSON.parse(sealed);
    assert.equal(v, "1");
    const key = derived(data_key, "strongroom chat history v1");
    const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64"));
    decipher.setAAD(Buffer.from(
      `{"counter":${counter},"key_id":"${key_id}","purpose":"chat-history","user_id":"${user_id}","v":"1"}`,
    ));
    decipher.setAuthTag(Buffer.from(mac, "base64"));
    const text = decipher.update(ciphertext, "base64", "utf8") + decipher.final("utf8");
    assert.deepEqual(JSON.parse(text), content);
    const digits = `${sha256(sealed).readBigUInt64BE(0) % 10_000_000_000n}`.padStart(10, "0");
    assert.equal(code, `${digits.slice(0, 5)} ${digits.slice(5)}`);
  }
});

Deno.test("vectors: the client takes each head only in its own place and state", async () => {
  for (const { head, user_id, chat_id, key_id, data_key, fold: _, ...state } of vectors.heads) {
    const key = await dataKey(key_id, data_key);
    const parsed = parseHead(head)!; // it is well-formed
    const place = { user_id, chat_id };
    assert.ok(await verifyHead(parsed, place, state, key));
    for (
      const wrong of [
        { version: 9 },
        { data_version: 2 },
        { next_segment: 9 },
        { is_starred: !state.is_starred },
        { encrypted_title: "another" },
      ]
    ) assert.ok(!await verifyHead(parsed, place, { ...state, ...wrong }, key));
    for (const wrong of [{ user_id: chat_id }, { chat_id: user_id }]) {
      assert.ok(!await verifyHead(parsed, { ...place, ...wrong }, state, key));
    }
    const other = await dataKey(key_id, vectors.key_ids[0]!.data_key);
    assert.ok(!await verifyHead(parsed, place, state, other));
    for (const name of ["fold", "mac"] as const) {
      const flipped = Buffer.from(parsed[name], "base64");
      flipped[0]! ^= 1;
      const changed = { ...parsed, [name]: flipped.toString("base64") };
      assert.ok(!await verifyHead(changed, place, state, key), name);
    }
    for (
      const malformed of [
        "",
        "{}",
        "[]",
        head.replace('"v":"1"', '"v":"2"'),
        `${head.slice(0, -1)},"x":"y"}`,
        ...["0", "-1", "01", "1.0", "1e0", " 1", "9007199254740993", ""].map((version) =>
          JSON.stringify({ ...JSON.parse(head), version })
        ),
        ...["fold", "mac"].flatMap((name) =>
          [31, 33].map((length) =>
            JSON.stringify({ ...JSON.parse(head), [name]: btoa("x".repeat(length)) })
          )
        ),
        head.replace(key_id, key_id.toUpperCase()),
        head.replace(key_id, key_id.slice(1)),
      ]
    ) {
      assert.equal(parseHead(malformed), undefined, malformed);
    }
  }
  for (const { user_id, key_id, data_key, counter, sealed } of vectors.histories) {
    const key = await dataKey(key_id, data_key);
    assert.equal((await openHistory(sealed, user_id, counter, key)).chats, 2);
    const failed = { code: "decryption_failed" };
    await assert.rejects(openHistory(sealed, user_id, counter + 1, key), failed);
    await assert.rejects(openHistory(sealed, key_id, counter, key), failed);
    await assert.rejects(openHistory("{}", user_id, counter, key), failed);
    const other = await dataKey(vectors.heads[0]!.user_id, data_key);
    await assert.rejects(openHistory(sealed, user_id, counter, other), failed);
    // The id in the text is not authenticated by itself.
    const renamed = sealed.replace(key_id, vectors.heads[0]!.user_id);
    await assert.rejects(openHistory(renamed, user_id, counter, key), failed);
  }
});

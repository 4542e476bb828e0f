import assert from "node:assert/strict";

import {
  keyOf,
  mustFollowHead,
  nextHead,
  type OpenedHead,
  openHead,
} from "../../chats/account_head.ts";
import { generateDataKey } from "../../crypto/mod.ts";

const [phone, laptop] = ["0123456789abcdef", "fedcba9876543210"];

const sum = new Uint8Array(32);

Deno.test("head of the account: what may follow the one that a device has seen, and what may not", async () => {
  const [newer, older] = [await generateDataKey(), await generateDataKey()];
  const keys = [newer, older];
  const head = (
    counter: number,
    writers: Record<string, number>,
    { key_id } = newer,
    min_epoch: string | 1 = older.key_id,
  ): OpenedHead => ({
    ...{ counter, sealed: crypto.randomUUID(), key_id },
    content: { chats: 0, min_epoch, sum, writers },
  });
  const known = head(17, { [phone]: 17, [laptop]: 12 });
  const many = Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`w${index}`, 90]));
  for (
    const [name, later, code] of [
      ["the same", known, undefined],
      ["the next one", head(18, { [phone]: 18, [laptop]: 12 }), undefined],
      ["one of a new device", head(18, { [phone]: 17, [laptop]: 12, other: 18 }), undefined],
      ["one of many devices, which leaves out others", head(90, many), undefined],
      [
        "one that closes an epoch",
        head(18, known.content.writers, newer, newer.key_id),
        undefined,
      ],
      [
        "one that opens all epochs again",
        head(18, known.content.writers, newer, 1),
        "history_rolled_back",
      ],
      ["an earlier one", head(16, { [phone]: 17, [laptop]: 12 }), "history_rolled_back"],
      [
        "a later one of an older key",
        head(18, known.content.writers, older),
        "history_rolled_back",
      ],
      ["another one with the same counter", head(17, known.content.writers), "history_forked"],
      ["one without what a device did", head(18, { [phone]: 18, [laptop]: 11 }), "history_forked"],
      ["one without a device", head(18, { [phone]: 18 }), "history_forked"],
    ] as [string, OpenedHead, string | undefined][]
  ) {
    const follow = () => mustFollowHead(later, known, keys);
    if (code) assert.throws(follow, { code }, name);
    else assert.doesNotThrow(follow, name);
  }
  const closed = head(17, known.content.writers, newer, newer.key_id);
  const reopened = () => mustFollowHead(head(18, known.content.writers), closed, keys);
  assert.throws(reopened, { code: "history_rolled_back" }, "one that opens an epoch again");
  const before = head(17, known.content.writers, older);
  assert.doesNotThrow(() => mustFollowHead(head(18, known.content.writers), before, keys));
  assert.doesNotThrow(() => mustFollowHead(known, undefined, keys));
});

Deno.test("head of the account: the next one names who made it, and at most 64 devices", async () => {
  const key = await generateDataKey();
  const user_id = crypto.randomUUID();
  let before: OpenedHead | undefined;
  for (let counter = 1; counter <= 70; counter++) {
    const writer = String(counter % 67).padStart(16, "0");
    const next = await nextHead(key, before, {
      user_id,
      writer,
      counter,
      chats: counter,
      sum,
      min_epoch: 1,
    });
    assert.equal(next.expected, counter - 1);
    const opened = await openHead(next, user_id, key);
    assert.doesNotThrow(() => mustFollowHead(opened, before, [key]));
    assert.equal(opened.content.writers[writer], counter);
    assert.equal(Object.keys(opened.content.writers).length, Math.min(counter, 64));
    before = opened;
  }
  await assert.rejects(openHead({ ...before!, counter: 71 }, user_id, key), {
    code: "decryption_failed",
  });
});

Deno.test("head of the account: one that names no key is refused", async () => {
  const key = await generateDataKey();
  const next = { user_id: crypto.randomUUID(), writer: phone, counter: 1, chats: 0, sum };
  const { sealed } = await nextHead(key, null, { ...next, min_epoch: 1 });
  assert.equal(keyOf({ counter: 1, sealed }), key.key_id);
  for (const malformed of ["", "{}", sealed.slice(1), sealed.replace(key.key_id, "key")]) {
    assert.throws(() => keyOf({ counter: 1, sealed: malformed }), { code: "history_false" });
  }
});

/**
 * What the open keys know, and have the store remember: which epochs are closed, and how costly the password was.
 */

import assert from "node:assert/strict";

import { OpenKeys } from "../../chats/open_keys.ts";
import { derivePasswordKey, generateDataKey, generateDeviceKey } from "../../crypto/mod.ts";
import { MemoryStore } from "../../mod.ts";

Deno.test("open keys: an epoch is closed with all that are older, and none opens again", async () => {
  const dataKeys = await Promise.all([1, 2, 3].map(generateDataKey));
  const [newest, middle, oldest] = dataKeys.map(({ key_id }) => key_id);
  const store = new MemoryStore();
  const keys = new OpenKeys(crypto.randomUUID(), store);
  await keys.adopt(3, dataKeys, await generateDeviceKey());
  const closed = () => [newest!, middle!, oldest!, null].map((id) => keys.closed(id));
  assert.deepEqual(closed(), [false, false, false, false]);
  await keys.close(middle!);
  // Format 1 is older than all epochs.
  assert.deepEqual(closed(), [false, false, true, true]);
  await keys.close(oldest!);
  await keys.close(1);
  assert.deepEqual(closed(), [false, false, true, true]);
  assert.equal((await store.state()).min_epoch, middle);
  await assert.rejects(keys.close(crypto.randomUUID()), { code: "false_answer" });
  assert.equal((await store.state()).min_epoch, middle);
  await keys.close(newest!);
  assert.deepEqual(closed(), [false, true, true, true]);
});

Deno.test("open keys: what opens them at last does not make the device forget a costlier derivation", async () => {
  const salt = btoa("a salt of 23 characters");
  const [cheap, costly] = await Promise.all(
    [2, 3].map((passes) => derivePasswordKey("password", { salt, memory_kib: 19_456, passes })),
  );
  const store = new MemoryStore();
  const keys = new OpenKeys(crypto.randomUUID(), store);
  const dataKeys = [await generateDataKey()];
  // Another tab may have opened the keys meanwhile, with a password that was changed since.
  for (const [opener, passes] of [[cheap!, 2], [costly!, 3], [cheap!, 3]] as const) {
    await keys.adopt(1, dataKeys, opener);
    assert.equal((await store.state()).password_cost?.passes, passes);
  }
  await keys.reopened(cheap!);
  await keys.adopt(1, dataKeys, await generateDeviceKey());
  assert.equal((await store.state()).password_cost?.passes, 3);
});

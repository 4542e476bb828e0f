/**
 * Which epochs are closed, as the open keys know it.
 */

import assert from "node:assert/strict";

import { OpenKeys } from "../../chats/open_keys.ts";
import { generateDataKey, generateDeviceKey } from "../../crypto/mod.ts";
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

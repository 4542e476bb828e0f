import assert from "node:assert/strict";
import fc from "fast-check";

import {
  deriveRecoveryKey,
  epochKey,
  generateDataKey,
  generateDeviceKey,
  generateRecoveryKey,
  unwrap,
  wrap,
  type WrappingKey,
} from "../../crypto/mod.ts";
import { wrapWithNonce } from "../../crypto/wrap.ts";
import { coded } from "../support/assertions.ts";
import {
  bytesOf,
  dataKey,
  fromHex,
  wrappingKey,
  type WrappingSource,
} from "../support/known_keys.ts";
import { soak } from "../support/soak.ts";
import vectors from "../vectors/vectors.json" with { type: "json" };

const PARAMETERS = { salt: vectors.passwords[0]!.salt, iterations: 600_000 };

Deno.test("wraps: the client writes and reads the vectors", async () => {
  for (const vector of vectors.wraps) {
    const { user_id, key_id, data_key, nonce } = vector;
    const under = await wrappingKey(vector as WrappingSource);
    const key = await dataKey(key_id, data_key, true);
    const made = await wrapWithNonce(key, { under, user_id }, fromHex(nonce));
    assert.equal(made, vector.wrap, vector.name);
    const read = await unwrap(vector.wrap, { under, user_id, key_id, extractable: true });
    assert.equal(await bytesOf(read.key), data_key, vector.name);
  }
});

Deno.test("wraps: the invalid vectors are refused", async () => {
  for (const { name, user_id, key_id, code, wrap: wrapped, ...source } of vectors.wraps_refused) {
    const under = await wrappingKey(source as WrappingSource);
    await assert.rejects(unwrap(wrapped, { under, user_id, key_id }), coded(code), name);
  }
});

Deno.test("wraps: no wrap opens with any bit of its text flipped", async () => {
  const { user_id, key_id, wrap: wrapped, ...source } = vectors.wraps[2]!;
  const under = await wrappingKey(source as WrappingSource);
  for (let bit = 0; bit < wrapped.length * 8; bit++) {
    const text = wrapped.slice(0, bit >> 3) +
      String.fromCharCode(wrapped.charCodeAt(bit >> 3) ^ (1 << (bit & 7))) +
      wrapped.slice((bit >> 3) + 1);
    await assert.rejects(
      unwrap(text, { under, user_id, key_id }),
      /CryptoError/,
      text,
    );
  }
});

Deno.test("wraps: a wrap opens only with its wrapping key, user and epoch", async () => {
  const [newer, older] = [await generateDataKey(), await generateDataKey()];
  const device = await generateDeviceKey();
  const wrapping: WrappingKey[] = [
    device,
    await generateDeviceKey(),
    { ...device, device_id: crypto.randomUUID() },
    await deriveRecoveryKey(generateRecoveryKey()),
    await deriveRecoveryKey(generateRecoveryKey()),
    epochKey(newer),
    { ...epochKey(newer), wrapped_by: crypto.randomUUID() },
    // The right bytes as another kind of key.
    { kind: "recovery", key: device.key },
    { kind: "password", key: device.key, ...PARAMETERS },
    { kind: "password", key: device.key, ...PARAMETERS, iterations: 600_001 },
    { kind: "password", key: device.key, ...PARAMETERS, salt: btoa("another salt, 24 bytes.") },
    { kind: "epoch", key: device.key, wrapped_by: device.device_id },
  ];
  const index = fc.nat({ max: wrapping.length - 1 });
  await fc.assert(
    fc.asyncProperty(index, index, fc.uuid(), fc.uuid(), async (i, j, user_id, stranger) => {
      const { key_id } = older;
      const made = await wrap(older, { under: wrapping[i]!, user_id });
      const read = await unwrap(made, { under: wrapping[i]!, user_id, key_id, extractable: true });
      assert.equal(await bytesOf(read.key), await bytesOf(older.key));
      const failed = coded("decryption_failed");
      const under = wrapping[i]!;
      await assert.rejects(unwrap(made, { under, user_id: stranger, key_id }), failed);
      await assert.rejects(unwrap(made, { under, user_id, key_id: stranger }), failed);
      fc.pre(i !== j);
      await assert.rejects(unwrap(made, { under: wrapping[j]!, user_id, key_id }), failed);
    }),
    { numRuns: 150 * soak },
  );
});

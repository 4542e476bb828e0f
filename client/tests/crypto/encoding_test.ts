import assert from "node:assert/strict";
import fc from "fast-check";

import { fromBase64, toBase64 } from "../../crypto/encoding.ts";
import { soak } from "../support/soak.ts";

Deno.test("base64: only the canonical spelling is read", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
    const text = toBase64(bytes);
    assert.equal(text, btoa(String.fromCharCode(...bytes)));
    assert.deepEqual(fromBase64(text), bytes);
  }));
  const almost = fc.string({ unit: fc.constantFrom(..."AQgw/+=-_ \n"), maxLength: 8 });
  fc.assert(
    fc.property(almost, (text) => {
      const bytes = fromBase64(text);
      if (bytes) assert.equal(toBase64(bytes), text);
    }),
    { numRuns: 2000 * soak },
  );
});

import assert from "node:assert/strict";
import fc from "fast-check";

import { padmeLength } from "../../crypto/padding.ts";
import { soak } from "../support/soak.ts";

Deno.test("padding: never shorter than the content, nor 12 % longer beyond 64 bytes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e9 }), (length) => {
      const padded = padmeLength(length);
      assert.ok(padded >= length && padded <= Math.max(64, length * 1.12));
      assert.equal(padmeLength(padded), padded);
    }),
    { numRuns: 1000 * soak },
  );
});

import assert from "node:assert/strict";

import { makeVectors } from "./make_vectors.ts";
import vectors from "./vectors.json" with { type: "json" };

Deno.test("vectors: vectors.json is what make_vectors.ts writes", async () => {
  const text = await makeVectors();
  assert.deepEqual(JSON.parse(text), vectors);
  assert.doesNotMatch(text, /[^\0-\x7f]/);
});

import assert from "node:assert/strict";

import vectors from "./vectors/vectors.json" with { type: "json" };

const page = await Deno.readTextFile(new URL("../../docs/encryption.md", import.meta.url));

Deno.test("docs/encryption.md: its examples are vectors", () => {
  const envelope = vectors.envelopes.find(({ name }) => name === "data")!; // there is one
  const wrap = vectors.wraps[0]!;
  const json = /```json\n([^]*?)```/.exec(page)![1]!; // the format's first example
  assert.deepEqual(JSON.parse(json), JSON.parse(envelope.envelope));
  const texts = [envelope.associated_data, wrap.wrap, wrap.associated_data];
  for (const text of texts) assert.ok(page.includes(`\n${text}\n`), text);
  assert.ok(page.includes(`\n${vectors.recovery_keys[0]!.recovery_key}\n`));
});

Deno.test("docs/encryption.md: its example runs, and each code is explained", async () => {
  const example = /```ts\n([^]*?)```/.exec(page)![1]!; // the page begins with it
  const crypto = new URL("../crypto/mod.ts", import.meta.url).href;
  const checked = example.replace("./client/crypto/mod.ts", crypto)
    .replace(/console\.log\((.*)\); \/\/ (.*)/, "export const result = [$1, '$2'];");
  const url = `data:application/typescript,${encodeURIComponent(checked)}`;
  const { result: [text, expected] } = await import(url);
  assert.equal(text, expected);

  const source = await Deno.readTextFile(new URL("../crypto/crypto_error.ts", import.meta.url));
  for (const [, code] of source.matchAll(/^ {2}\| "(\w+)"/gm)) {
    assert.match(page, RegExp(`^\\| \`${code}\``, "m"));
  }
});

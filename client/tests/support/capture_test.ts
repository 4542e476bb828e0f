import assert from "node:assert/strict";

import { Capture } from "./capture.ts";
import { toHex } from "./known_keys.ts";

// Other tests rely on finding nothing, so this one shows that it can find something.
Deno.test("Capture: a secret in a request is found, whatever its encoding", async () => {
  const key = crypto.getRandomValues(new Uint8Array(32));
  const text = "a secret ü";
  const of = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
  const utf8 = new TextEncoder().encode(text);
  const seen = new Capture();
  const url = "data:text/plain,nothing";
  const sendings: [string | Uint8Array, string, RequestInit][] = [
    [text, url, { method: "POST", body: JSON.stringify({ password: text }) }],
    [text, url, { headers: { "x-password": of(Uint8Array.from([1, ...utf8, 2])) } }],
    [text, `${url}?${encodeURIComponent(text)}`, {}],
    [key, url, { method: "POST", body: key }],
    [key, url, { method: "POST", body: of(Uint8Array.from([1, 2, ...key])) }],
    [key, url, { method: "POST", body: of(key).replaceAll("+", "-").replaceAll("/", "_") }],
    [key, url, { method: "POST", body: toHex(key) }],
    [key, url, { method: "POST", body: JSON.stringify([...key]) }],
  ];
  for (const [secret, to, init] of sendings) {
    const before = seen.requests.length;
    assert.equal(seen.find(secret).length, 0);
    await (await seen.fetch(to, init)).text();
    assert.equal(seen.find(secret).length, 1, `${to} ${JSON.stringify(init)}`);
    seen.requests.length = before;
  }
});

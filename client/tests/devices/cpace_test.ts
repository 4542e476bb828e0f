import assert from "node:assert/strict";

import {
  exchangeKey,
  generatorString,
  joinWithLengths,
  makeShare,
  randomScalar,
} from "../../devices/cpace.ts";
import { fromHex, toHex } from "../support/known_keys.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

/** Appendix B.3 of draft-irtf-cfrg-cpace-21: ristretto255 and SHA-512. */
const EXCHANGE = {
  prs: utf8("Password"),
  ci: fromHex("6f630b425f726573706f6e6465720b415f696e69746961746f72"),
  sid: fromHex("7e4b4791d6a8ef019b936c79fb7f2c57"),
};
const A = {
  scalar: fromHex("da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08"),
  share: fromHex("d40fb265a7abeaee7939d91a585fe59f7053f982c296ec413c624c669308f87a"),
  ad: utf8("ADa"),
};
const B = {
  scalar: fromHex("d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d"),
  share: fromHex("08bcf6e9777a9c313a3db6daa510f2d398403319c2341bd506a92e672eb7e307"),
  ad: utf8("ADb"),
};
const KEY = "4c5469a16b2364c4b944ebc1a79e51d1674ad47db26e8718154f59fa" +
  "ebfaa52d8346f30aa58377117eb20d527f2cbc5c76381f7fd372e89df8239f87f2e02ed1";

Deno.test("cpace: it agrees with the vectors of the draft", async () => {
  const text = generatorString(EXCHANGE);
  assert.equal(text.length, 172);
  assert.match(toHex(text), /^11435061636552697374726574746f3235350850617373776f7264640000/);
  assert.deepEqual(await makeShare(EXCHANGE, A.scalar), A.share);
  assert.deepEqual(await makeShare(EXCHANGE, B.scalar), B.share);
  for (const [own, other] of [[A, B], [B, A]] as const) {
    const key = await exchangeKey(EXCHANGE.sid, own.scalar, other.share, [A, B]);
    assert.equal(toHex(key!), KEY);
  }
});

Deno.test("cpace: lengths are LEB128", () => {
  assert.equal(toHex(joinWithLengths(new Uint8Array(), utf8("ab"))), "00026162");
  assert.equal(toHex(joinWithLengths(new Uint8Array(128))).slice(0, 6), "800100");
});

Deno.test("cpace: another code, exchange, taker or order of roles makes another key", async () => {
  const [a, b] = [randomScalar(), randomScalar()];
  const share = await makeShare(EXCHANGE, a);
  for (
    const other of [
      { prs: utf8("Passwore") },
      { ci: utf8("other") },
      { sid: new Uint8Array(16) },
    ]
  ) {
    const theirs = await makeShare({ ...EXCHANGE, ...other }, b);
    const transcript = [{ ...A, share }, { ...B, share: theirs }] as const;
    const sid = { ...EXCHANGE, ...other }.sid;
    const keys = [
      await exchangeKey(EXCHANGE.sid, a, theirs, transcript),
      await exchangeKey(sid, b, share, transcript),
    ];
    assert.notDeepEqual(keys[0], keys[1]);
  }
  const same = await exchangeKey(EXCHANGE.sid, A.scalar, B.share, [A, B]);
  const swapped = await exchangeKey(EXCHANGE.sid, A.scalar, B.share, [
    { ...A, ad: B.ad },
    { ...B, ad: A.ad },
  ]);
  assert.notDeepEqual(same, swapped);
});

Deno.test("cpace: a share that is none, or the neutral one, ends the exchange", async () => {
  for (
    const share of [new Uint8Array(32), new Uint8Array(32).fill(255), fromHex("01".repeat(32))]
  ) {
    assert.equal(await exchangeKey(EXCHANGE.sid, A.scalar, share, [A, B]), undefined);
  }
});

import assert from "node:assert/strict";

import { test } from "../supabase/functions/_testing/testing.ts";
import { keysOf, tokenOf, withKeys } from "./functions_testing.ts";

const keys = keysOf("now");
const { default: secretKey, cron: cronKey } = keys.secretKeys;
const id = crypto.randomUUID();

/** What the platform gives the functions of a project that signs session tokens with its legacy secret. */
const LEGACY = { SUPABASE_JWKS: '{"keys":[]}' };

const bearer = async (token: Promise<string>) => ({ authorization: `Bearer ${await token}` });

test("without a key that verifies session tokens, a function says what is missing", async () => {
  await withKeys(keys, async ({ answer, logged }) => {
    const token = await bearer(tokenOf(id, keys));
    assert.deepEqual(await answer("credits", token), [503, "signing_keys_missing"]);
    assert.match(logged(), /SUPABASE_JWKS has no key.*LEGACY_JWT_SECRET/);
    // Services do not need it.
    assert.deepEqual(await answer(`credits?user_id=${id}`, { apikey: secretKey }), [
      200,
      undefined,
    ]);
    assert.deepEqual(await answer("credits", {}), [401, "credentials_missing"]);
  }, LEGACY);
});

test("a session token is accepted that the legacy secret has signed, if the functions have it", async () => {
  const legacy = { ...LEGACY, LEGACY_JWT_SECRET: keys.jwtSecret };
  const { jwtSecret } = keys;
  await withKeys(keys, async ({ answer, received }) => {
    // Auth names the key in some projects, and not in others.
    for (const signer of [{ jwtSecret }, { jwtSecret, jwtKid: "any" }]) {
      const token = await bearer(tokenOf(id, signer));
      assert.deepEqual(await answer("credits", token), [200, undefined]);
      assert.equal(received()[0]?.authorization, token.authorization);
    }
    const refused: [what: string, token: Promise<string>, code: string][] = [
      ["signed otherwise", tokenOf(id, keysOf("another")), "invalid_token"],
      ["expired", tokenOf(id, { jwtSecret }, "-1m"), "token_expired"],
      ["the legacy anon key", tokenOf(id, { jwtSecret }, "1h", { role: "anon" }), "invalid_token"],
      [
        "the legacy service key",
        tokenOf(id, { jwtSecret }, "1h", { role: "service_role", sub: undefined, aud: undefined }),
        "invalid_token",
      ],
      ["without a subject", tokenOf(id, { jwtSecret }, "1h", { sub: undefined }), "invalid_token"],
      ["of another audience", tokenOf(id, { jwtSecret }, "1h", { aud: "x" }), "invalid_token"],
      ["garbage", Promise.resolve("eyJ.eyJ.eyJ"), "invalid_token"],
    ];
    for (const [what, token, code] of refused) {
      assert.deepEqual(await answer("credits", await bearer(token)), [401, code], what);
      const both = { ...await bearer(token), apikey: secretKey };
      assert.deepEqual(await answer(`credits?user_id=${id}`, both), [401, code], what);
    }
    assert.deepEqual(received(), []);
  }, legacy);
});

test("without the secret key named cron, cleanup says so, or takes the key that a setting names", async () => {
  const onlyDefault = { SUPABASE_SECRET_KEYS: JSON.stringify({ default: secretKey }) };
  await withKeys(keys, async ({ answer, logged }) => {
    for (const headers of [{ apikey: secretKey }, { apikey: cronKey }]) {
      assert.deepEqual(await answer("cleanup", headers), [503, "secret_key_missing"]);
    }
    assert.match(logged(), /no secret key named cron/);
  }, onlyDefault);
  await withKeys(keys, async ({ answer }) => {
    assert.deepEqual(await answer("cleanup", { apikey: secretKey }), [200, undefined]);
    assert.deepEqual(await answer("cleanup", { apikey: cronKey }), [401, "invalid_api_key"]);
  }, { ...onlyDefault, CLEANUP_KEY_NAME: "default" });
});

import assert from "node:assert/strict";
import { decodeJwt, decodeProtectedHeader, SignJWT } from "jose";

import { invoke, signUp, stack, test } from "../../supabase/functions/_testing/testing.ts";
import { nameSigningKey } from "./session_token_kid.ts";

const keys = JSON.parse(await Deno.readTextFile(`${stack.dir}/keys.json`));

async function pass(authorization: string): Promise<string> {
  const headers = new Headers({ authorization });
  await nameSigningKey(headers, keys);
  return headers.get("authorization") ?? "";
}

test("a session token reaches a function with its key's id and the same claims", async () => {
  const user = await signUp();
  const passed = (await pass(`Bearer ${user.token}`)).replace("Bearer ", "");
  assert.equal(decodeProtectedHeader(passed).kid, keys.jwtKid);
  assert.deepEqual(decodeJwt(passed), decodeJwt(user.token));
  assert.equal((await invoke(user.client, "credits")).status, 200);
});

test("a token that the stack did not issue reaches a function unchanged", async () => {
  const { token } = await signUp();
  const forged = await new SignJWT(decodeJwt(token)).setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode("a secret that is not this stack's at all, but long"));
  for (
    const authorization of [`Bearer ${forged}`, "Bearer eyJ.x.y", "Basic abc", "Bearer sb_secret_x"]
  ) {
    assert.equal(await pass(authorization), authorization);
  }
});

test("tokens of @supabase/lite still name no key", async () => {
  const { token } = await signUp();
  assert.equal(decodeProtectedHeader(token).kid, undefined);
});

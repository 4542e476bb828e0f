import assert from "node:assert/strict";
import { decodeJwt, type JWTPayload, SignJWT, UnsecuredJWT } from "jose";

import { fetchChecked } from "../_testing/answers.ts";
import { functionsUrl, signUp, stack, test } from "../_testing/testing.ts";

const keys = JSON.parse(await Deno.readTextFile(`${stack.dir}/keys.json`));
const secret = new TextEncoder().encode(keys.jwtSecret);

/** Claims of a signed-in user's token that is valid for an hour. */
function claims(id: string): JWTPayload {
  const now = Math.floor(Date.now() / 1000);
  return { sub: id, aud: "authenticated", role: "authenticated", iat: now, exp: now + 3600 };
}

function sign(payload: JWTPayload, key: Uint8Array = secret, kid = keys.jwtKid): Promise<string> {
  return new SignJWT(payload).setProtectedHeader({ alg: "HS256", typ: "JWT", kid }).sign(key);
}

async function ask(token: string): Promise<{ status: number; code?: string }> {
  const response = await fetchChecked(`${functionsUrl}/credits`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const body = await response.json();
  return response.ok ? { status: 200 } : { status: response.status, code: body.code };
}

test("a token that Auth issued is accepted by a route for users", async () => {
  const user = await signUp();
  assert.deepEqual(await ask(user.token), { status: 200 });
  assert.deepEqual(await ask(await sign(claims(user.id))), { status: 200 });
});

test("a token is refused if Auth did not sign it, it is not a user's, or it is no longer valid", async () => {
  const { id, token } = await signUp();
  const wrongKey = new TextEncoder().encode("another secret of the same length as the first one");
  const now = Math.floor(Date.now() / 1000);
  const { sub: _, ...withoutSubject } = claims(id);
  const { exp: __, ...everlasting } = claims(id);
  const [header, payload, signature] = token.split(".");
  const cases: [what: string, token: string, code: string][] = [
    ["signed with another key", await sign(claims(id), wrongKey), "invalid_token"],
    ["naming another key", await sign(claims(id), secret, "another"), "invalid_token"],
    ["not signed", new UnsecuredJWT(claims(id)).encode(), "invalid_token"],
    ["without its signature", `${header}.${payload}.`, "invalid_token"],
    [
      "with another payload",
      `${header}.${payload?.slice(0, -4)}AAAA.${signature}`,
      "invalid_token",
    ],
    ["expired", await sign({ ...claims(id), exp: now - 60 }), "token_expired"],
    ["not valid yet", await sign({ ...claims(id), nbf: now + 600 }), "invalid_token"],
    ["with another audience", await sign({ ...claims(id), aud: "elsewhere" }), "invalid_token"],
    [
      "without audience",
      await sign({ sub: id, role: "authenticated", exp: now + 60 }),
      "invalid_token",
    ],
    ["without a subject", await sign(withoutSubject), "invalid_token"],
    ["with the role anon", await sign({ ...claims(id), role: "anon" }), "invalid_token"],
    [
      "with the role service_role",
      await sign({ ...claims(id), role: "service_role" }),
      "invalid_token",
    ],
    ["with an empty subject", await sign({ ...claims(id), sub: "" }), "invalid_token"],
    ["with a subject that is not an id", await sign({ ...claims(id), sub: "me" }), "invalid_token"],
    ["that never expires", await sign(everlasting), "invalid_token"],
    ["garbage", "eyJ.eyJ.eyJ", "invalid_token"],
  ];
  for (const [what, candidate, code] of cases) {
    assert.deepEqual(await ask(candidate), { status: 401, code }, what);
  }
});

test("a bad token is refused even together with the secret key", async () => {
  const response = await fetchChecked(`${functionsUrl}/credits?user_id=${crypto.randomUUID()}`, {
    headers: { apikey: stack.secretKey, authorization: "Bearer eyJ.eyJ.eyJ" },
  });
  assert.equal(response.status, 401);
  assert.equal((await response.json()).code, "invalid_token");
});

test("an expired token of Auth has its own code, so that the client refreshes it", async () => {
  const { token } = await signUp();
  // The stack's Auth issues tokens without a kid.
  const expired = await new SignJWT({ ...decodeJwt(token), exp: 1 })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(secret);
  assert.deepEqual(await ask(expired), { status: 401, code: "token_expired" });
});

import assert from "node:assert/strict";

import { functionsUrl, signUp, stack, test } from "../../supabase/functions/_testing/testing.ts";

const ORIGIN = "https://app.example.com";

/** A request of each service as a page sends it: method, address and the headers that the preflight asks for. */
const REQUESTS: [service: string, method: string, url: string, headers: string][] = [
  [
    "Auth",
    "POST",
    "/auth/v1/signup",
    "apikey,authorization,content-type,x-client-info,x-supabase-api-version",
  ],
  [
    "Auth",
    "POST",
    "/auth/v1/token?grant_type=password",
    "apikey,content-type,x-supabase-api-version",
  ],
  ["Auth", "PUT", "/auth/v1/user", "apikey,authorization,content-type"],
  ["Auth", "GET", "/auth/v1/user", "apikey,authorization"],
  ["REST", "GET", "/rest/v1/projects?select=id", "apikey,authorization,accept-profile,range"],
  ["REST", "PATCH", "/rest/v1/projects?id=eq.x", "apikey,authorization,content-profile,prefer"],
  ["REST", "DELETE", "/rest/v1/tasks?id=eq.1", "apikey,authorization"],
  [
    "REST",
    "POST",
    "/rest/v1/rpc/get_chat_keys",
    "apikey,authorization,content-profile,content-type",
  ],
  [
    "Storage",
    "POST",
    "/storage/v1/object/avatars/x.png",
    "apikey,authorization,x-upsert,cache-control",
  ],
  [
    "Storage",
    "PUT",
    "/storage/v1/object/upload/sign/app_storage/x.png?token=t",
    "content-type,x-upsert",
  ],
  ["Storage", "HEAD", "/storage/v1/object/app_storage/x.png", "apikey,authorization"],
  [
    "Functions",
    "POST",
    "/functions/v1/credits/deduct",
    "apikey,authorization,content-type,idempotency-key",
  ],
];

/** Sends the requests of one service, each after its preflight. */
async function sendFromPage(of: string): Promise<void> {
  for (const [service, method, url, headers] of REQUESTS) {
    if (service !== of) continue;

    const preflight = await fetch(`${stack.url}${url}`, {
      method: "OPTIONS",
      headers: {
        origin: ORIGIN,
        "access-control-request-method": method,
        "access-control-request-headers": headers,
      },
    });
    await preflight.body?.cancel();
    assert.ok(preflight.ok, String(preflight.status));
    const allowed = (name: string) => preflight.headers.get(`access-control-allow-${name}`) ?? "";
    assert.equal(allowed("origin"), "*");
    assert.ok(allowed("methods").split(/, ?/).includes(method), allowed("methods"));
    const allowedHeaders = allowed("headers").toLowerCase().split(/, ?/);
    for (const header of headers.split(",")) {
      assert.ok(allowedHeaders.includes(header), `${header} in ${allowedHeaders}`);
    }

    const response = await fetch(`${stack.url}${url}`, { method, headers: { origin: ORIGIN } });
    await response.body?.cancel();
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
    assert.notEqual(response.headers.get("access-control-expose-headers"), null);
  }
}

test("a page of another origin may send every request of Auth", () => sendFromPage("Auth"));

test("a page of another origin may send every request of REST", () => sendFromPage("REST"));

test("a page of another origin may send every request of Storage", () => sendFromPage("Storage"));

test("a page of another origin may send every request of functions", () =>
  sendFromPage("Functions"));

test("pages may read the headers that our responses have", async () => {
  const { token } = await signUp();
  const headers = {
    origin: ORIGIN,
    apikey: stack.publishableKey,
    authorization: `Bearer ${token}`,
  };
  const counted = await fetch(`${stack.url}/rest/v1/tasks?select=id`, {
    headers: { ...headers, prefer: "count=exact" },
  });
  await counted.body?.cancel();
  assert.match(counted.headers.get("content-range") ?? "", /\/0$/);
  assert.match(counted.headers.get("access-control-expose-headers") ?? "", /content-range/);
  const refused = await fetch(`${functionsUrl}/credits/deduct`, { headers });
  await refused.body?.cancel();
  assert.equal(refused.headers.get("allow"), "POST");
  for (const name of ["allow", "retry-after", "x-request-id", "idempotent-replayed"]) {
    assert.match(refused.headers.get("access-control-expose-headers") ?? "", new RegExp(name));
  }
});

import assert from "node:assert/strict";

import {
  type Answer,
  createPrice,
  functionsUrl,
  invoke,
  serviceClient,
  signUp,
  stack,
  test,
  type TestUser,
  withDatabase,
} from "../_testing/testing.ts";

const ALL = [
  "credits:read",
  "credits:write",
  "messages:write",
  "projects:write",
  "files:read",
  "files:write",
];

async function createKey(user: TestUser, body: Record<string, unknown> = {}): Promise<Answer> {
  return await invoke(user.client, "keys", {
    body: { name: "Nightly job", permissions: ["credits:read"], ...body },
  });
}

/** Sends a request with an API key, as a program without supabase-js does. */
async function send(key: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${functionsUrl}/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      apikey: stack.publishableKey,
      "content-type": "application/json",
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** One request for each permission, and the status when the key has it. */
const REQUESTS: [
  permission: string,
  method: string,
  path: string,
  body: unknown,
  status: number,
][] = [
  ["credits:read", "GET", "credits", undefined, 200],
  ["credits:read", "POST", "credits/quote", { sku: "none.such", quantity: 1 }, 422],
  ["credits:read", "GET", "credits/statement?month=2026-11", undefined, 200],
  ["credits:write", "POST", "credits/deduct", { sku: "none.such", quantity: 1 }, 422],
  ["messages:write", "POST", "conversations", { message: { role: "user", content: "Hi" } }, 201],
  ["projects:write", "POST", `projects/${crypto.randomUUID()}/restore`, {}, 404],
  ["files:read", "GET", "files/usage", undefined, 200],
  ["files:write", "DELETE", "files", { bucket: "app_storage", paths: ["x"] }, 200],
];

test("POST /keys returns the key once, and the database keeps only its SHA-256", async () => {
  const user = await signUp();
  const { status, body } = await createKey(user);
  assert.equal(status, 201);
  assert.match(body.key, /^srk_[A-Za-z0-9_-]{43}$/);
  assert.equal(body.key_prefix, body.key.slice(0, 12));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body.key));
  await withDatabase(async (sql) => {
    const [row] =
      await sql`select key_hash, to_jsonb(k)::text as text from api_keys as k where id = ${body.id}`;
    assert.equal(row?.key_hash, new Uint8Array(digest).toHex());
    assert.ok(!row?.text.includes(body.key));
  });
  const { body: { keys } } = await invoke(user.client, "keys");
  assert.deepEqual(keys.map(({ id }: { id: string }) => id), [body.id]);
  assert.ok(!JSON.stringify(keys).includes(body.key));
});

test("a key does what its permissions name, in its user's name, and nothing else", async () => {
  const user = await signUp();
  for (const permission of ALL) {
    const { body: { key } } = await createKey(user, { permissions: [permission] });
    for (const [needed, method, path, sent, status] of REQUESTS) {
      const answer = await send(key, method, path, sent);
      if (needed === permission) {
        assert.equal(answer.status, status, `${permission}: ${method} ${path}`);
      } else {
        assert.equal(answer.status, 403, `${permission}: ${method} ${path}`);
        assert.equal(answer.body.code, "permission_missing");
      }
    }
  }
  const { data } = await user.client.from("conversations").select("user_id");
  assert.deepEqual(data, [{ user_id: user.id }]);
});

test("a key charges the account of its user, and reads balances only of its user's teams", async () => {
  const user = await signUp();
  const before = (await invoke(user.client, "credits")).body.available;
  const { body: { key } } = await createKey(user, {
    permissions: ["credits:read", "credits:write"],
  });
  const charge = await send(key, "POST", "credits/deduct", {
    sku: await createPrice(3),
    quantity: 1,
  });
  assert.equal(charge.status, 200);
  assert.equal(charge.body.amount, -3);
  assert.equal((await send(key, "GET", "credits")).body.available, before - 3);
  const { data: team } = await serviceClient().from("teams").insert({ name: "Theirs" }).select()
    .single();
  assert.equal((await send(key, "GET", `credits?team_id=${team?.id}`)).status, 404);
});

test("a key that is disabled, has expired, was deleted or guessed gets nothing, at once", async () => {
  const user = await signUp();
  const { body: { id, key } } = await createKey(user);
  assert.equal((await send(key, "GET", "credits")).status, 200);

  const disabled = await invoke(user.client, `keys/${id}`, {
    method: "PATCH",
    body: { is_active: false },
  });
  assert.equal(disabled.body.is_active, false);
  const refused = await send(key, "GET", "credits");
  assert.equal(refused.status, 401);
  assert.equal(refused.body.code, "invalid_api_key");
  // Directly, as the documents of the products have it.
  await user.client.from("api_keys").update({ is_active: true }).eq("id", id);
  assert.equal((await send(key, "GET", "credits")).status, 200);

  await user.client.from("api_keys").update({ expires_at: "2020-01-01T00:00:00Z" }).eq("id", id);
  assert.equal((await send(key, "GET", "credits")).status, 401);
  await invoke(user.client, `keys/${id}`, { method: "PATCH", body: { expires_at: null } });
  assert.equal((await send(key, "GET", "credits")).status, 200);

  assert.equal((await invoke(user.client, `keys/${id}`, { method: "DELETE" })).status, 200);
  assert.equal((await send(key, "GET", "credits")).status, 401);
  for (const guess of ["srk_", `srk_${"A".repeat(43)}`, key.slice(0, -1), `${key}A`]) {
    assert.equal((await send(guess, "GET", "credits")).status, 401, guess);
  }
});

test("a key works nowhere else: not for keys, chats or services, and not at the Data API", async () => {
  const user = await signUp();
  const { body: { key } } = await createKey(user, { permissions: ALL });
  for (
    const [method, path, body] of [
      ["GET", "keys", undefined],
      ["POST", "keys", { name: "Another", permissions: ALL }],
      ["GET", "chats/keys", undefined],
      ["POST", "credits/grants", { user_id: user.id, amount: 5, source: "mine" }],
      ["POST", "cleanup", {}],
    ] as const
  ) {
    assert.equal((await send(key, method, path, body)).status, 403, `${method} ${path}`);
  }
  const direct = await fetch(`${stack.url}/rest/v1/api_keys`, {
    headers: { authorization: `Bearer ${key}`, apikey: stack.publishableKey },
  });
  await direct.body?.cancel();
  assert.equal(direct.status, 401);
});

test("a user changes only their own keys", async () => {
  const [user, stranger] = [await signUp(), await signUp()];
  const { body: { id } } = await createKey(user);
  for (
    const options of [{ method: "PATCH", body: { name: "Mine" } }, { method: "DELETE" }] as const
  ) {
    const { status, body } = await invoke(stranger.client, `keys/${id}`, options);
    assert.equal(status, 404);
    assert.equal(body.code, "key_not_found");
  }
  const { body: { keys } } = await invoke(stranger.client, "keys");
  assert.deepEqual(keys, []);
});

test("what happens to a key is recorded, a refusal once a minute", async () => {
  const user = await signUp();
  const { body: { id, key, key_prefix } } = await createKey(user);
  await invoke(user.client, `keys/${id}`, { method: "PATCH", body: { name: "Renamed" } });
  for (let i = 0; i < 3; i++) await send(key, "GET", "files/usage");
  await invoke(user.client, `keys/${id}`, { method: "PATCH", body: { is_active: false } });
  await invoke(user.client, `keys/${id}`, { method: "DELETE" });
  const { data } = await user.client.from("api_key_events").select("event, detail, key_prefix")
    .order("id");
  assert.deepEqual(data, [
    { event: "created", detail: {}, key_prefix },
    { event: "changed", detail: { name: "Renamed" }, key_prefix },
    {
      event: "refused",
      detail: { code: "permission_missing", permission: "files:read" },
      key_prefix,
    },
    { event: "disabled", detail: {}, key_prefix },
    { event: "deleted", detail: {}, key_prefix },
  ]);
});

test("POST /keys refuses what it cannot keep", async () => {
  const user = await signUp();
  const cases: [Record<string, unknown>, string][] = [
    [{ name: "" }, "invalid_request"],
    [{ permissions: [] }, "invalid_request"],
    [{ permissions: ["everything"] }, "invalid_request"],
    [{ expires_at: "2020-01-01T00:00:00Z" }, "invalid_key"],
    [{ expires_at: "tomorrow" }, "invalid_request"],
    [{ key_hash: "x" }, "invalid_request"],
  ];
  for (const [body, code] of cases) {
    const answer = await createKey(user, body);
    assert.equal(answer.status, 422, JSON.stringify(body));
    assert.equal(answer.body.code, code, JSON.stringify(body));
  }
});

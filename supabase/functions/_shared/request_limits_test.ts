import assert from "node:assert/strict";

import { fetchChecked } from "../_testing/answers.ts";
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
  withSettings,
} from "../_testing/testing.ts";

const MOST = 5;

/** More requests than two minutes allow: they begin in one and end in the next at the latest. */
const TOO_MANY = 2 * MOST + 1;

/** Sends requests one after another until one is refused, and returns that response. */
async function untilRefused(send: () => Promise<Answer>): Promise<Answer> {
  for (let sent = 0; sent < TOO_MANY; sent++) {
    const answer = await send();
    if (answer.status === 429) return answer;
    assert.ok(answer.status < 300, JSON.stringify(answer.body));
  }
  throw new Error(`${TOO_MANY} requests were answered`);
}

/** A request to REST, with the response's headers. */
async function rest(path: string, token: string, body: unknown, headers = {}): Promise<Answer> {
  const response = await fetch(`${stack.url}/rest/v1/${path}`, {
    method: "POST",
    headers: {
      apikey: stack.publishableKey,
      "content-type": "application/json",
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text && JSON.parse(text) };
}

const writeJournal = (user: TestUser) => () =>
  rest("journal_entries", user.token, { user_id: user.id, content: "" });

/** Each address is one test's own. */
const address = () =>
  `2001:db8:${crypto.randomUUID().slice(0, 4)}:${crypto.randomUUID().slice(0, 4)}::1`;

function withLimits(run: () => Promise<void>): Promise<void> {
  return withSettings({ "requests.per_user": MOST, "requests.per_address": MOST }, run);
}

test("a user who makes too many requests is refused, by functions and REST alike, and told when to come again", async () => {
  const user = await signUp();
  const sku = await createPrice(0.01);
  const charge = () =>
    invoke(user.client, "credits/deduct", {
      body: { sku, quantity: 1 },
      headers: { "idempotency-key": crypto.randomUUID() },
    });
  await withLimits(async () => {
    const refused = await untilRefused(charge);
    const { code, policy, limit, window, retry_after } = refused.body;
    assert.deepEqual([code, policy, limit, window], ["too_many_requests", "user", MOST, 60]);
    assert.ok(Number.isInteger(retry_after) && retry_after >= 1 && retry_after <= 60);
    assertHeaders(refused.headers, "user", retry_after);
    assert.match(refused.headers.get("access-control-expose-headers") ?? "", /ratelimit-policy/);

    // Direct requests count in the same minute as those of functions; at its end, there are new ones.
    const direct = await untilRefused(writeJournal(user));
    assert.deepEqual([direct.status, direct.body.code], [429, "PT429"]);
    const [word, json] = direct.body.details.split(/ (.*)/s);
    assert.equal(word, "too_many_requests");
    assertHeaders(direct.headers, "user", JSON.parse(json).retry_after);

    const other = await signUp();
    assert.equal((await writeJournal(other)()).status, 201);
    assert.equal((await invoke(user.client, "credits")).status, 200, "reads are not counted");
    for (let sent = 0; sent < TOO_MANY; sent++) {
      const { error } = await serviceClient().from("journal_entries")
        .insert({ user_id: user.id, content: "" });
      assert.equal(error, null);
    }
  });
  assert.equal((await charge()).status, 200);
});

test("requests at the same time are counted without waiting for each other", async () => {
  const user = await signUp();
  await withLimits(async () => {
    const statuses = await Promise.all(
      Array.from({ length: 40 }, writeJournal(user)).map(async (answer) => (await answer).status),
    );
    assert.ok(statuses.includes(429));
    assert.ok(statuses.every((status) => status === 201 || status === 429), `${statuses}`);
  });
});

test("a request of a function counts once, however often it calls the database", async () => {
  const user = await signUp();
  const counted = async () => {
    const [row] = await withDatabase((sql) =>
      sql`select coalesce(sum(requests), 0)::int as n from private.request_counts where subject = ${user.id}`
    );
    return row?.n;
  };
  const before = await counted();
  // Three calls: it looks the upload up first.
  await invoke(user.client, `files/uploads/${crypto.randomUUID()}/complete`, { body: {} });
  const { status } = await invoke(user.client, "conversations", {
    body: { message: { role: "user", content: "Hello" } },
  });
  assert.equal(status, 201);
  // The first request failed in the database, which takes its count back.
  assert.equal(await counted(), before + 1);
});

test("visitors are counted by address", async () => {
  const from = address();
  const leave = (headers: Record<string, string>) => () =>
    rest("waitlist", "", { email: "ada@example.com" }, headers);
  await withLimits(async () => {
    const refused = await untilRefused(leave({ "x-forwarded-for": from }));
    const [, json] = refused.body.details.split(/ (.*)/s);
    assert.equal(JSON.parse(json).policy, "address");
    assertHeaders(refused.headers, "address", JSON.parse(json).retry_after);
    assert.equal((await leave({ "x-forwarded-for": address() })()).status, 201);
  });
});

test("a client cannot have its requests counted for another user", async () => {
  const [user, victim] = [await signUp(), await signUp()];
  await withLimits(async () => {
    const headers = { "x-counted-user": victim.id };
    await untilRefused(() =>
      rest("journal_entries", user.token, { user_id: user.id, content: "" }, headers)
    );
    const response = await fetchChecked(`${functionsUrl}/conversations`, {
      method: "POST",
      headers: { ...headers, authorization: `Bearer ${victim.token}` },
      body: JSON.stringify({ message: { role: "user", content: "Hello" } }),
    });
    assert.equal(response.status, 201);
    await response.body?.cancel();
  });
});

test("a table with too many rows of a user refuses more, through functions and REST", async () => {
  const user = await signUp();
  await withSettings({ "conversations.rows": 3 }, async () => {
    const start = () =>
      invoke(user.client, "conversations", {
        body: { message: { role: "user", content: "Hello" } },
      });
    const answers = await Promise.all(Array.from({ length: 8 }, start));
    assert.equal(answers.filter(({ status }) => status === 201).length, 3);
    const refused = answers.find(({ status }) => status !== 201);
    const { code, table, limit, rows } = refused?.body ?? {};
    assert.deepEqual([refused?.status, code, table], [429, "too_many_rows", "conversations"]);
    assert.deepEqual([limit, rows], [3, 4]);
    assert.equal(refused?.headers.get("retry-after"), null);
    const { error, status } = await user.client.from("conversations").insert({ user_id: user.id });
    assert.deepEqual([status, error?.code], [429, "PT429"]);
    assert.match(error?.details ?? "", /^too_many_rows \{/);

    await user.client.from("conversations").delete().eq("user_id", user.id);
    assert.equal((await start()).status, 201);
  });
});

test("a user with too many messages is refused more, through functions and REST, until some are deleted", async () => {
  const user = await signUp();
  const id = crypto.randomUUID();
  await user.client.from("conversations").insert({ id, user_id: user.id });
  const row = { conversation_id: id, role: "user" as const, content: "Hello" };
  const insert = (rows: number) =>
    user.client.from("messages").insert(Array.from({ length: rows }, () => row));
  const save = () =>
    invoke(user.client, `conversations/${id}/messages`, {
      body: { messages: [{ role: "user", content: "Hello" }] },
    });
  await withSettings({ "messages.rows": 200 }, async () => {
    // The count is an estimate: 50 times 50 messages reach 200 for certain.
    let batches = 0;
    let answer = await insert(50);
    while (!answer.error && ++batches < 50) answer = await insert(50);
    assert.deepEqual([answer.status, answer.error?.code], [429, "PT429"]);
    assert.match(answer.error?.details ?? "", /^too_many_rows \{/);
    const refused = await save();
    const { code, table, limit } = refused.body;
    assert.deepEqual([refused.status, code, table, limit], [429, "too_many_rows", "messages", 200]);

    await user.client.from("messages").delete().eq("conversation_id", id);
    assert.equal((await save()).status, 201);
  });
});

function assertHeaders(headers: Headers, policy: string, seconds: number): void {
  assert.equal(headers.get("retry-after"), `${seconds}`);
  assert.equal(headers.get("ratelimit-policy"), `"${policy}";q=${MOST};w=60`);
  assert.equal(headers.get("ratelimit"), `"${policy}";r=0;t=${seconds}`);
}

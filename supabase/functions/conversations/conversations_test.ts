import assert from "node:assert/strict";

import { invoke, serviceClient, signUp, test } from "../_testing/testing.ts";

test("POST /conversations starts a conversation with its first message and takes the title from it", async () => {
  const user = await signUp();
  const started = await invoke(user.client, "conversations", {
    body: { message: { role: "user", content: "How do I sleep better?\nI tried tea." } },
  });
  assert.equal(started.status, 201);
  const { conversation, messages } = started.body;
  assert.equal(conversation.title, "How do I sleep better?");
  assert.equal(conversation.user_id, user.id);
  assert.equal(messages[0].conversation_id, conversation.id);
  const { data } = await user.client.from("messages").select("content")
    .eq("conversation_id", conversation.id);
  assert.deepEqual(data, [{ content: "How do I sleep better?\nI tried tea." }]);

  const titled = await invoke(user.client, "conversations", {
    body: { title: "Sleep", message: { role: "user", content: "x" } },
  });
  assert.equal(titled.body.conversation.title, "Sleep");
});

test("POST /conversations starts one conversation if repeated, and none with a bad message", async () => {
  const user = await signUp();
  const body = {
    id: crypto.randomUUID(),
    message: { id: crypto.randomUUID(), role: "user", content: "x" },
  };
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => invoke(user.client, "conversations", { body })),
  );
  assert.deepEqual(answers.map((answer) => answer.status), Array(5).fill(201));
  const headers = { "idempotency-key": crypto.randomUUID() };
  const keyed = { message: { role: "user", content: "keyed" } };
  await invoke(user.client, "conversations", { body: keyed, headers });
  const again = await invoke(user.client, "conversations", { body: keyed, headers });
  assert.equal(again.headers.get("idempotent-replayed"), "true");

  const cases: [body: Record<string, unknown>, status: number, code: string][] = [
    [{}, 422, "invalid_request"],
    [{ message: { role: "bot", content: "x" } }, 422, "invalid_role"],
    [{ message: { role: "user" } }, 422, "content_missing"],
    [{ title: "", message: { role: "user", content: "x" } }, 422, "invalid_request"],
    [{ title: " ", message: { role: "user", content: "x" } }, 422, "invalid_title"],
    [{ id: "a/b", message: { role: "user", content: "x" } }, 422, "invalid_request"],
    [{ id: body.id, message: { role: "user", content: "other" } }, 409, "conversation_id_used"],
  ];
  for (const [body, status, code] of cases) {
    const answer = await invoke(user.client, "conversations", { body });
    assert.equal(answer.status, status, code);
    assert.equal(answer.body.code, code);
  }
  assert.equal((await user.client.from("conversations").select("id")).data?.length, 2);
});

test("POST /conversations/:id/messages appends messages, for its owner only", async () => {
  const [user, stranger] = await Promise.all([signUp(), signUp()]);
  const { body: { conversation } } = await invoke(user.client, "conversations", {
    body: { message: { role: "user", content: "1" } },
  });
  const path = `conversations/${conversation.id}/messages`;
  const batch = {
    messages: [{ role: "assistant", content: "2" }, { role: "user", content: "3" }],
  };
  assert.equal((await invoke(user.client, path, { body: batch })).status, 201);
  const { data } = await user.client.from("messages").select("content").order("created_at");
  assert.deepEqual(data?.map((row) => row.content), ["1", "2", "3"]);
  const refused = await invoke(stranger.client, path, { body: batch });
  assert.equal(refused.status, 404);
  assert.equal(refused.body.code, "conversation_not_found");
  const byService = await invoke(serviceClient(), path, {
    body: { user_id: user.id, role: "system", content: "4" },
  });
  assert.equal(byService.status, 201);
});

test("search_messages finds what the caller wrote, marked", async () => {
  const [user, stranger] = await Promise.all([signUp(), signUp()]);
  await invoke(user.client, "conversations", {
    body: { message: { role: "user", content: "The quick brown fox <b>jumps</b>" } },
  });
  const { data } = await user.client.rpc("search_messages", { query: "jumping foxes", limit: 5 });
  assert.equal(data?.length, 1);
  assert.equal(data?.[0]?.content, "The quick brown fox <b>jumps</b>");
  assert.match(
    data?.[0]?.snippet ?? "",
    /<mark>fox<\/mark> &lt;b&gt;<mark>jumps<\/mark>/,
  );
  assert.deepEqual((await stranger.client.rpc("search_messages", { query: "fox" })).data, []);
});

import assert from "node:assert/strict";

import { invoke, serviceClient, signUp, test } from "../_testing/testing.ts";

const service = serviceClient();

/** An id as the AI SDK makes it: 16 random letters and digits, after a prefix. */
const newId = (prefix: string) =>
  `${prefix}-${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`;

test("a conversation and its messages are found by the ids that the app gave them, in every route", async () => {
  const user = await signUp();
  const [chat, question, reply, draft] = ["chat", "msg", "msg", "msg"].map(newId) as [
    string,
    string,
    string,
    string,
  ];
  const start = { id: chat, message: { id: question, role: "user", content: "Hello" } };
  const started = await invoke(user.client, "conversations", { body: start });
  assert.equal(started.status, 201);
  const { conversation, messages: [first] } = started.body;
  assert.deepEqual([conversation.client_id, first.client_id], [chat, question]);
  assert.match(conversation.id, /^[0-9a-f-]{36}$/);
  assert.equal(first.conversation_id, conversation.id);
  assert.deepEqual(
    (await invoke(user.client, "conversations", { body: start })).body,
    started.body,
  );

  const path = `conversations/${chat}/messages`;
  const body = { id: reply, role: "assistant", content: "Hi" };
  const saved = await invoke(user.client, path, { body });
  assert.equal(saved.status, 201);
  assert.equal(saved.body.messages[0].client_id, reply);
  assert.deepEqual((await invoke(user.client, path, { body })).body, saved.body);
  const byUuid = await invoke(user.client, `conversations/${conversation.id}/messages`, { body });
  assert.deepEqual(byUuid.body, saved.body);
  const other = await invoke(user.client, path, { body: { ...body, content: "other" } });
  assert.deepEqual([other.status, other.body.code], [409, "message_id_used"]);
  const replaced = await invoke(user.client, `${path}/${reply}`, {
    method: "PUT",
    body: { ...body, content: "Hi!" },
  });
  assert.deepEqual([replaced.status, replaced.body.id], [200, saved.body.messages[0].id]);

  const writing = {
    user_id: user.id,
    id: draft,
    role: "assistant",
    content: "",
    status: "streaming",
  };
  await invoke(service, path, {
    body: { messages: [writing].map(({ user_id: _, ...m }) => m), user_id: user.id },
  });
  const patched = await invoke(service, `${path}/${draft}`, {
    method: "PATCH",
    body: { user_id: user.id, content: "So" },
  });
  assert.deepEqual([patched.status, patched.body.client_id], [200, draft]);
  const finished = await invoke(service, `${path}/${draft}/finish`, { body: { user_id: user.id } });
  assert.deepEqual([finished.status, finished.body.messages[0].client_id], [200, draft]);
  const aborted = await invoke(user.client, `${path}/${draft}/abort`, { body: {} });
  assert.equal(aborted.body.code, "message_finished");

  const { data } = await user.client.from("messages").select("client_id, content")
    .eq("conversation_id", conversation.id).order("created_at");
  assert.deepEqual(data, [
    { client_id: question, content: "Hello" },
    { client_id: reply, content: "Hi!" },
    { client_id: draft, content: "So" },
  ]);
});

test("ids that apps give are unique for a user's conversations and in a parent, not beyond", async () => {
  const [user, other] = await Promise.all([signUp(), signUp()]);
  const message = { id: "msg-1", role: "user", content: "x" };
  for (const { client } of [user, other]) {
    const { status } = await invoke(client, "conversations", { body: { id: "chat-1", message } });
    assert.equal(status, 201);
  }
  const second = await invoke(user.client, "conversations", { body: { id: "chat-2", message } });
  assert.equal(second.status, 201);
  const taken = await invoke(user.client, "conversations", {
    body: { id: "chat-1", message: { ...message, id: "msg-2" } },
  });
  assert.deepEqual([taken.status, taken.body.code], [409, "conversation_id_used"]);
  const unknown = await invoke(user.client, "conversations/chat-3/messages", { body: message });
  assert.deepEqual([unknown.status, unknown.body.code], [404, "conversation_not_found"]);
  const theirs = await invoke(other.client, "conversations/chat-2/messages", { body: message });
  assert.equal(theirs.body.code, "conversation_not_found");

  // In a project; ten at once save one message.
  const { data: project } = await user.client.from("projects")
    .insert({ user_id: user.id, title: "P" }).select().single();
  const answers = await Promise.all(
    Array.from(
      { length: 10 },
      () => invoke(user.client, `projects/${project!.id}/messages`, { body: message }),
    ),
  );
  assert.deepEqual(answers.map((answer) => answer.status), Array(10).fill(201));
  assert.equal(new Set(answers.map((answer) => answer.body.messages[0].id)).size, 1);
  const clone = await invoke(user.client, `projects/${project!.id}/clone`, { body: {} });
  const copied = await invoke(user.client, `projects/${clone.body.project.id}/messages`, {
    body: message,
  });
  assert.deepEqual([copied.status, copied.body.messages[0].client_id], [201, "msg-1"]);

  // Directly.
  const row = { conversation_id: second.body.conversation.id, role: "user", content: "x" } as const;
  const insert = async (client_id: string) =>
    (await user.client.from("messages").insert({ ...row, client_id })).error?.code;
  assert.deepEqual(
    [
      await insert("msg-3"),
      await insert("msg-3"),
      await insert("a b"),
      await insert(crypto.randomUUID()),
    ],
    [undefined, "23505", "PT422", "PT422"],
  );
  const { error } = await user.client.from("conversations").insert({
    user_id: user.id,
    client_id: "/",
  });
  assert.equal(error?.code, "PT422");
});

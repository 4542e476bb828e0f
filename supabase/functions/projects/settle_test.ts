import assert from "node:assert/strict";

import { invoke, serviceClient, signUp, test, type TestUser } from "../_testing/testing.ts";

const service = serviceClient();

async function projectOf(user: TestUser): Promise<string> {
  const { data, error } = await user.client.from("projects")
    .insert({ user_id: user.id, title: "P" }).select().single();
  if (error) throw error;
  return `projects/${data.id}/messages`;
}

async function conversationOf(user: TestUser): Promise<string> {
  const { body } = await invoke(user.client, "conversations", {
    body: { message: { role: "user", content: "Hello" } },
  });
  return `conversations/${body.conversation.id}/messages`;
}

async function hold(user: TestUser, amount: number): Promise<string> {
  const { body } = await invoke(service, "credits/holds", { body: { user_id: user.id, amount } });
  return body.id;
}

test("an answer is saved and paid for in one request, in projects and in conversations", async () => {
  for (const parentOf of [projectOf, conversationOf]) {
    const user = await signUp();
    const path = await parentOf(user);
    const hold_id = await hold(user, 30);
    const body = {
      user_id: user.id,
      id: crypto.randomUUID(),
      role: "assistant",
      content: "An answer",
      settle: { hold_id, amount: 12.5 },
    };
    const saved = await invoke(service, path, { body });
    assert.equal(saved.status, 201);
    assert.equal(saved.body.entry.amount, -12.5);
    assert.equal(saved.body.messages[0].hold_id, hold_id);
    // If the response was lost, repeating the request does not charge again.
    assert.deepEqual((await invoke(service, path, { body })).body, saved.body);
    const { balance, held } = (await invoke(user.client, "credits")).body;
    assert.deepEqual({ balance, held }, { balance: 87.5, held: 0 });

    const other = await invoke(service, path, { body: { ...body, id: crypto.randomUUID() } });
    assert.equal(other.status, 409);
    assert.equal(other.body.code, "hold_already_captured");
    const dear = {
      ...body,
      id: crypto.randomUUID(),
      settle: { hold_id: await hold(user, 5), amount: 6 },
    };
    assert.equal((await invoke(service, path, { body: dear })).body.code, "capture_exceeds_hold");
    const { data } = await user.client.from("messages").select("id").eq("role", "assistant");
    assert.deepEqual(data, [{ id: body.id }]);
  }
});

test("a draft keeps its number, grows, and is finished and paid for, or aborted", async () => {
  const user = await signUp();
  const path = await projectOf(user);
  const draft = { user_id: user.id, role: "assistant", content: "", status: "streaming" };
  const { body: { messages: [first] } } = await invoke(service, path, { body: draft });
  assert.equal(first.status, "streaming");
  // A message that is saved meanwhile comes after it.
  const meanwhile = await invoke(user.client, path, { body: { role: "user", content: "And?" } });
  assert.equal(meanwhile.body.messages[0].sequence_number, 1);

  for (const content of ["So", "So far", "So far, so"]) {
    const patched = await invoke(service, `${path}/${first.id}`, {
      method: "PATCH",
      body: { user_id: user.id, content },
    });
    assert.equal(patched.status, 200);
    const { data } = await user.client.from("messages").select("content, status").eq(
      "id",
      first.id,
    );
    assert.deepEqual(data, [{ content, status: "streaming" }]);
  }
  const finish = () =>
    invoke(service, `${path}/${first.id}/finish`, {
      body: { user_id: user.id, content: "So far, so good", settle: { hold_id, amount: 8 } },
    });
  const hold_id = await hold(user, 10);
  const finished = await finish();
  assert.equal(finished.status, 200);
  assert.equal(finished.body.messages[0].status, "complete");
  assert.equal(finished.body.entry.amount, -8);
  assert.deepEqual((await finish()).body, finished.body);
  const late = await invoke(service, `${path}/${first.id}`, {
    method: "PATCH",
    body: { user_id: user.id, content: "x" },
  });
  assert.equal(late.status, 409);
  assert.equal(late.body.code, "message_finished");

  const { body: { messages: [second] } } = await invoke(service, path, { body: draft });
  await invoke(service, `${path}/${second.id}`, {
    method: "PATCH",
    body: { user_id: user.id, content: "Half of" },
  });
  const aborted = await invoke(service, `${path}/${second.id}/abort`, {
    body: { user_id: user.id },
  });
  assert.equal(aborted.body.messages[0].status, "aborted");
  assert.equal(aborted.body.messages[0].content, "Half of");
  assert.equal(aborted.body.entry, null);
  assert.equal((await invoke(user.client, "credits")).body.balance, 92);
});

test("a service names the user that it saves for, and settles only with that user's hold", async () => {
  const [user, other] = await Promise.all([signUp(), signUp()]);
  const path = await projectOf(user);
  const message = { role: "assistant", content: "x" };
  assert.equal((await invoke(service, path, { body: message })).body.code, "invalid_request");
  const stranger = await invoke(service, path, { body: { ...message, user_id: other.id } });
  assert.equal(stranger.body.code, "project_not_found");
  const settle = { hold_id: await hold(other, 1) };
  const foreign = await invoke(service, path, { body: { ...message, user_id: user.id, settle } });
  assert.equal(foreign.status, 404);
  assert.equal(foreign.body.code, "hold_not_found");
  const { count } = await user.client.from("messages").select("*", { count: "exact", head: true });
  assert.equal(count, 0);
});

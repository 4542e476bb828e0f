import assert from "node:assert/strict";

import {
  anonymousClient,
  invoke,
  serviceClient,
  signUp,
  test,
  type TestUser,
} from "../_testing/testing.ts";

const service = serviceClient();

/** Creates a project of the owner, in a team to which the members belong with their roles. */
async function createTeamProject(owner: TestUser, members: Record<string, TestUser>) {
  const { data: team } = await service.from("teams").insert({ name: "T" }).select().single();
  const team_id = team!.id;
  await service.from("team_members").insert([
    { team_id, user_id: owner.id, role: "owner" },
    ...Object.entries(members).map(([role, { id }]) => ({ team_id, user_id: id, role })),
  ]);
  const { data, error } = await owner.client.from("projects")
    .insert({ user_id: owner.id, team_id, title: "Project" }).select().single();
  if (error) throw error;
  return data;
}

test("members edit and delete their own messages only, unless the project lets them edit all", async () => {
  const [owner, member, admin] = await Promise.all([signUp(), signUp(), signUp()]);
  const project = await createTeamProject(owner, { member, admin });
  const path = `projects/${project.id}/messages`;
  const save = (user: TestUser, body: Record<string, unknown>) =>
    invoke(user.client, path, { body });
  const edit = async (user: TestUser, id: string, content: string) => {
    const { data } = await user.client.from("messages").update({ content }).eq("id", id).select();
    return data?.length;
  };
  const { body: { messages: [message] } } = await save(member, { role: "user", content: "mine" });
  assert.equal(message.author_id, member.id);
  assert.equal(await edit(admin, message.id, "theirs"), 0);
  assert.equal(await edit(member, message.id, "still mine"), 1);
  const replacement = { role: "user", content: "x", sequence_number: 0 };
  const refused = await save(admin, replacement);
  assert.equal(refused.status, 403);
  assert.equal(refused.body.code, "not_message_author");
  assert.equal(refused.body.index, 0);
  const { body: { messages: [draft] } } = await invoke(service, path, {
    body: { user_id: member.id, role: "assistant", content: "", status: "streaming" },
  });
  for (
    const [method, route, body] of [
      ["PATCH", "", { content: "x" }],
      ["POST", "/finish", {}],
      ["POST", "/abort", {}],
    ] as const
  ) {
    const answer = await invoke(admin.client, `${path}/${draft.id}${route}`, { method, body });
    assert.deepEqual([answer.status, answer.body.code], [403, "not_message_author"]);
  }

  await admin.client.from("projects").update({ message_editing: "members" }).eq("id", project.id);
  assert.equal(await edit(admin, message.id, "ours"), 1);
  assert.equal((await save(admin, replacement)).status, 201);
  const { data: gone } = await admin.client.from("messages").delete().eq("id", message.id).select();
  assert.equal(gone?.length, 1);
});

test("what the system wrote stays: its messages, and the time when a project was deleted", async () => {
  const [owner, admin] = await Promise.all([signUp(), signUp()]);
  const project = await createTeamProject(owner, { admin });
  const { body: { messages: [system] } } = await invoke(
    service,
    `projects/${project.id}/messages`,
    {
      body: { user_id: owner.id, role: "system", content: "Be kind", status: "streaming" },
    },
  );
  const { data: kept } = await owner.client.from("messages").delete().eq("id", system.id).select();
  assert.deepEqual(kept, []);
  const path = `projects/${project.id}/messages/${system.id}`;
  const patched = await invoke(owner.client, path, { method: "PATCH", body: { content: "x" } });
  assert.deepEqual([patched.status, patched.body.code], [409, "system_message"]);

  const { data: deleted } = await admin.client.from("projects")
    .update({ deleted_at: "2020-01-01T00:00:00Z", status: "deleted" }).eq("id", project.id)
    .select("deleted_at, updated_at").single();
  assert.equal(deleted?.deleted_at, deleted?.updated_at);
  const { data: restored } = await owner.client.from("projects").update({ deleted_at: null })
    .eq("id", project.id).select("status").single();
  assert.equal(restored?.status, "active");
});

test("a repeat does not return what is gone, nor what took its id", async () => {
  const [user, other] = await Promise.all([signUp(), signUp()]);
  const id = crypto.randomUUID();
  const start = {
    body: { id: crypto.randomUUID(), message: { id, role: "user", content: "mine" } },
    headers: { "idempotency-key": crypto.randomUUID() },
  };
  await invoke(user.client, "conversations", start);
  await user.client.from("messages").delete().eq("id", id);
  const { body: { conversation } } = await invoke(other.client, "conversations", {
    body: { message: { id, role: "user", content: "a secret" } },
  });
  const more = {
    body: { role: "user", content: "more" },
    headers: { "idempotency-key": crypto.randomUUID() },
  };
  const path = `conversations/${start.body.id}/messages`;
  const { body: { messages: [saved] } } = await invoke(user.client, path, more);
  await user.client.from("messages").delete().eq("id", saved.id);
  const repeats = [
    await invoke(user.client, "conversations", start),
    await invoke(user.client, path, more),
  ];
  await user.client.from("conversations").delete().eq("id", start.body.id);
  repeats.push(await invoke(user.client, "conversations", start));
  assert.deepEqual(
    repeats.map((answer) => [answer.status, answer.body.code, answer.body.messages]),
    [[410, "message_deleted", undefined], [410, "message_deleted", undefined], [
      410,
      "conversation_deleted",
      undefined,
    ]],
  );
  assert.equal(conversation.user_id, other.id);
});

test("visitors read the columns of public projects that are meant for them", async () => {
  const owner = await signUp();
  const { data: project } = await owner.client.from("projects")
    .insert({ user_id: owner.id, title: "Open", is_public: true, system_prompt: "secret" })
    .select().single();
  const visitor = anonymousClient();
  const shown = "id, title, description, template_id, status, is_public, created_at, updated_at";
  const { data } = await visitor.from("projects").select(shown).eq("id", project!.id).single();
  assert.equal(data?.title, "Open");
  for (const columns of ["*", "system_prompt", "metadata", "user_id", "team_id"]) {
    const { error } = await visitor.from("projects").select(columns).eq("id", project!.id);
    assert.equal(error?.code, "42501", columns);
  }
  // Everybody could read it, also in other tests.
  await owner.client.from("projects").delete().eq("id", project!.id);
});

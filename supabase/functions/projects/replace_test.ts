import assert from "node:assert/strict";

import {
  type Answer,
  invoke,
  serviceClient,
  signUp,
  test,
  type TestUser,
} from "../_testing/testing.ts";

const service = serviceClient();

async function createProject(owner: TestUser) {
  const { data, error } = await owner.client.from("projects")
    .insert({ user_id: owner.id, title: "Project" }).select().single();
  if (error) throw error;
  return data.id;
}

function put(
  client: TestUser["client"],
  path: string,
  body: Record<string, unknown>,
  headers: Record<string, string> = {},
) {
  return invoke(client, path, { method: "PUT", body, headers });
}

/** The ETag of a response. A server that compresses the response marks it as weak. */
function etagOf({ headers }: Answer): string | undefined {
  return headers.get("etag")?.replace(/^W\//, "");
}

/** The parts of an assistant's message before and after the user has approved a tool call and the tool has run. */
const ASKED = [
  { type: "text", text: "I can delete it." },
  {
    type: "tool-deleteFile",
    toolCallId: "call_1",
    state: "approval-requested",
    input: { path: "a" },
  },
];
const DONE = [
  ASKED[0],
  { ...ASKED[1], state: "output-available", output: "deleted" },
  { type: "text", text: "Done." },
];

test("PUT /projects/:id/messages/:id replaces a message, and a repeat changes nothing", async () => {
  const user = await signUp();
  const path = `projects/${await createProject(user)}/messages`;
  const { body: { messages: [saved] } } = await invoke(user.client, path, {
    body: { role: "assistant", content: ASKED, object_data: { a: 1 }, metadata: { b: 2 } },
  });
  await invoke(user.client, path, { body: { role: "user", content: "next" } });
  const whole = { id: saved.id, role: "assistant", content: DONE, result_data: { c: 3 } };
  const replaced = await put(user.client, `${path}/${saved.id}`, whole);
  assert.equal(replaced.status, 200);
  assert.deepEqual(replaced.body, {
    ...saved,
    content: DONE,
    object_data: null,
    result_data: { c: 3 },
    metadata: {},
    updated_at: replaced.body.updated_at,
  });
  assert.notEqual(replaced.body.updated_at, saved.updated_at);
  assert.equal(etagOf(replaced), `"${replaced.body.updated_at}"`);
  assert.match(replaced.headers.get("access-control-expose-headers") ?? "", /\betag\b/);
  assert.deepEqual((await put(user.client, `${path}/${saved.id}`, whole)).body, replaced.body);
});

test("PUT with If-Match does not overwrite what another device has saved", async () => {
  const user = await signUp();
  const path = `projects/${await createProject(user)}/messages`;
  const { body: { messages: [{ id }] } } = await invoke(user.client, path, {
    body: { role: "assistant", content: "1" },
  });
  // The version of a message that was read through PostgREST.
  const { data: read } = await user.client.from("messages").select().eq("id", id).single();
  const first = `"${read?.updated_at}"`;
  const second = await put(user.client, `${path}/${id}`, { content: "2" }, { "if-match": first });
  assert.equal(second.status, 200);
  const late = await put(user.client, `${path}/${id}`, { content: "3" }, { "if-match": first });
  assert.deepEqual([late.status, late.body.code], [412, "message_changed"]);
  assert.equal(`"${late.body.updated_at}"`, etagOf(second));
  // A repeat of the request that was made, whose response was lost.
  const again = await put(user.client, `${path}/${id}`, { content: "2" }, { "if-match": first });
  assert.deepEqual([again.status, again.body], [200, second.body]);
  const weak = `W/${etagOf(second)}`;
  for (const [content, etag] of [["4", weak], ["5", "*"]] as const) {
    const answer = await put(user.client, `${path}/${id}`, { content }, { "if-match": etag });
    assert.deepEqual([answer.status, answer.body.content], [200, content]);
  }
  const malformed = await put(user.client, `${path}/${id}`, { content: "6" }, { "if-match": "6" });
  assert.deepEqual([malformed.status, malformed.body.code], [400, "invalid_if_match"]);

  // Two devices at once: one of them is told.
  const { body: seventh } = await put(user.client, `${path}/${id}`, { content: "7" });
  const current = { "if-match": `"${seventh.updated_at}"` };
  const both = await Promise.all(
    ["a", "b"].map((content) => put(user.client, `${path}/${id}`, { content }, current)),
  );
  assert.deepEqual(both.map((answer) => answer.status).sort(), [200, 412]);
});

test("PUT keeps what paid for a message, and a draft a draft", async () => {
  const user = await signUp();
  const path = `projects/${await createProject(user)}/messages`;
  const { data: hold } = await service.rpc("hold_credits", { user_id: user.id, amount: 5 });
  const { body: { messages: [paid] } } = await invoke(service, path, {
    body: { user_id: user.id, role: "assistant", content: ASKED, settle: { hold_id: hold?.id } },
  });
  assert.equal(paid.hold_id, hold?.id);
  for (const [client, who] of [[user.client, {}], [service, { user_id: user.id }]] as const) {
    const content = [...DONE, { type: "text", text: JSON.stringify(who) }];
    const { status, body } = await put(client, `${path}/${paid.id}`, { content, ...who });
    assert.deepEqual([status, body.content, body.hold_id], [200, content, hold?.id]);
  }
  const { data: credits } = await user.client.from("user_credits").select("balance, held").single();
  assert.deepEqual(credits, { balance: 95, held: 0 });

  const { body: { messages: [draft] } } = await invoke(service, path, {
    body: { user_id: user.id, role: "assistant", content: "", status: "streaming" },
  });
  const { body } = await put(service, `${path}/${draft.id}`, { user_id: user.id, content: "So" });
  assert.deepEqual([body.content, body.status], ["So", "streaming"]);
});

test("PUT refuses what is not the caller's to replace", async () => {
  const [user, stranger] = await Promise.all([signUp(), signUp()]);
  const project = await createProject(user);
  const path = `projects/${project}/messages`;
  const { body: { messages: [{ id }, { id: other }] } } = await invoke(user.client, path, {
    body: { messages: [{ role: "user", content: "x" }, { role: "user", content: "y" }] },
  });
  const { body: { messages: [system] } } = await invoke(service, path, {
    body: { user_id: user.id, role: "system", content: "x" },
  });
  const good = { content: "new" };
  const cases: [string, Record<string, unknown>, number, string][] = [
    [id, {}, 422, "content_missing"],
    [id, { content: null }, 422, "content_missing"],
    [id, { ...good, role: "assistant" }, 422, "invalid_role"],
    [id, { ...good, role: "bot" }, 422, "invalid_role"],
    [id, { ...good, metadata: [] }, 422, "invalid_message"],
    [id, { ...good, id: other }, 422, "invalid_message_id"],
    [id, { ...good, id: "another" }, 422, "invalid_message_id"],
    [id, { ...good, status: "complete" }, 422, "invalid_request"],
    [id, { ...good, sequence_number: 1 }, 422, "invalid_request"],
    [id, { ...good, hold_id: null }, 422, "invalid_request"],
    [id, { content: "x".repeat(262_143) }, 413, "content_too_large"],
    [system.id, good, 409, "system_message"],
    [crypto.randomUUID(), good, 404, "message_not_found"],
    ["no-such", good, 404, "message_not_found"],
    ["a b", good, 422, "invalid_request"],
  ];
  for (const [message, body, status, code] of cases) {
    const answer = await put(user.client, `${path}/${message}`, body);
    assert.deepEqual(
      [answer.status, answer.body.code],
      [status, code],
      JSON.stringify(body).slice(0, 80),
    );
  }
  const elsewhere = await createProject(user);
  const wrong = await put(user.client, `projects/${elsewhere}/messages/${id}`, good);
  assert.equal(wrong.body.code, "message_not_found");
  assert.equal((await put(stranger.client, `${path}/${id}`, good)).body.code, "project_not_found");
  await user.client.from("projects").update({ is_public: true }).eq("id", project);
  assert.equal((await put(stranger.client, `${path}/${id}`, good)).body.code, "project_read_only");
  await user.client.from("projects").update({ status: "deleted" }).eq("id", project);
  assert.equal((await put(user.client, `${path}/${id}`, good)).body.code, "project_deleted");
});

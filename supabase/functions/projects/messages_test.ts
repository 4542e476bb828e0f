import assert from "node:assert/strict";

import { fetchChecked } from "../_testing/answers.ts";
import {
  type Answer,
  functionsUrl,
  invoke,
  serviceClient,
  signUp,
  test,
  type TestUser,
  withSettings,
} from "../_testing/testing.ts";

const service = serviceClient();

/** Creates a project of a user, in a team of two if a member is given. */
async function createProject(owner: TestUser, member?: TestUser, is_public = false) {
  let team_id: string | null = null;
  if (member) {
    const { data } = await service.from("teams").insert({ name: "T" }).select().single();
    team_id = data?.id ?? "";
    await service.from("team_members").insert([
      { team_id, user_id: owner.id, role: "owner" },
      { team_id, user_id: member.id, role: "member" },
    ]);
  }
  const { data, error } = await owner.client.from("projects")
    .insert({ user_id: owner.id, team_id, title: "Project", is_public }).select().single();
  if (error) throw error;
  return data;
}

function save(
  user: TestUser,
  project_id: string,
  body: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return invoke(user.client, `projects/${project_id}/messages`, { body, headers });
}

test("POST /projects/:id/messages saves one message, or a batch in order", async () => {
  const user = await signUp();
  const { id, updated_at } = await createProject(user);
  const one = await save(user, id, {
    role: "user",
    content: { text: "Hello" },
    metadata: { a: 1 },
  });
  assert.equal(one.status, 201);
  const [message] = one.body.messages;
  assert.equal(message.project_id, id);
  assert.equal(message.sequence_number, 0);
  assert.equal(message.status, "complete");
  assert.deepEqual(message.content, { text: "Hello" });
  assert.deepEqual(message.metadata, { a: 1 });
  assert.equal(one.body.entry, null);

  const batch = await save(user, id, {
    messages: [
      { role: "assistant", content: "b", object_data: { code: "x" } },
      { role: "user", content: ["c"] },
    ],
  });
  assert.deepEqual(
    batch.body.messages.map((row: Record<string, unknown>) => [row.sequence_number, row.role]),
    [[1, "assistant"], [2, "user"]],
  );
  const { data } = await user.client.from("messages").select("content").order("sequence_number");
  assert.deepEqual(data?.map((row) => row.content), [{ text: "Hello" }, "b", ["c"]]);
  const { data: project } = await user.client.from("projects").select("updated_at").eq("id", id)
    .single();
  assert.ok((project?.updated_at ?? "") > updated_at);
});

test("POST /projects/:id/messages can be repeated with the id of a message, or with an Idempotency-Key", async () => {
  const user = await signUp();
  const { id } = await createProject(user);
  const message = { id: crypto.randomUUID(), role: "user", content: "once" };
  const first = await save(user, id, message);
  assert.deepEqual((await save(user, id, message)).body, first.body);
  const key = { "idempotency-key": crypto.randomUUID() };
  const keyed = await save(user, id, { role: "user", content: "keyed" }, key);
  const again = await save(user, id, { role: "user", content: "keyed" }, key);
  assert.equal(again.headers.get("idempotent-replayed"), "true");
  assert.deepEqual(again.body, keyed.body);
  assert.equal(
    (await save(user, id, { role: "user", content: "x" }, key)).body.code,
    "idempotency_key_reused",
  );
  const { count } = await user.client.from("messages").select("*", { count: "exact", head: true });
  assert.equal(count, 2);
});

test("POST /projects/:id/messages replaces a number that is taken, except with If-None-Match: *", async () => {
  const user = await signUp();
  const { id } = await createProject(user);
  const at = (content: string, headers = {}) =>
    save(user, id, { role: "user", content, sequence_number: 0 }, headers);
  await at("first");
  const replaced = await at("second");
  assert.equal(replaced.status, 201);
  assert.equal(replaced.body.messages[0].content, "second");
  const refused = await at("third", { "if-none-match": "*" });
  assert.equal(refused.status, 412);
  assert.equal(refused.body.code, "sequence_number_taken");
  assert.equal(refused.body.sequence_number, 0);
  assert.equal((await at("x", { "if-none-match": '"etag"' })).body.code, "invalid_if_none_match");
  const { data } = await user.client.from("messages").select("content");
  assert.deepEqual(data, [{ content: "second" }]);
});

test("a member of the team can write, a reader of a public project and a stranger cannot", async () => {
  const [owner, member, stranger] = await Promise.all([signUp(), signUp(), signUp()]);
  const shared = await createProject(owner, member);
  const open = await createProject(owner, undefined, true);
  const message = { role: "user", content: "x" };
  assert.equal((await save(member, shared.id, message)).status, 201);
  const { data: saved } = await owner.client.from("messages").select("id").single();
  const reads = await save(stranger, open.id, message);
  assert.equal(reads.status, 403);
  assert.equal(reads.body.code, "project_read_only");

  const path = `projects/${shared.id}`;
  const attempts: [method: "POST" | "PATCH" | "DELETE", path: string, body?: object][] = [
    ["POST", `${path}/messages`, message],
    ["POST", `${path}/messages`, { ...message, id: saved?.id }],
    ["PATCH", `${path}/messages/${saved?.id}`, { content: "x" }],
    ["POST", `${path}/messages/${saved?.id}/finish`, {}],
    ["POST", `${path}/messages/${saved?.id}/abort`, {}],
    ["POST", `${path}/clone`, {}],
    ["POST", `${path}/restore`, {}],
    ["DELETE", path],
    ["DELETE", `${path}?permanent=true`],
  ];
  for (const [method, path, body] of attempts) {
    const { status, body: problem } = await invoke(stranger.client, path, {
      method,
      ...(body && { body: body as Record<string, unknown> }),
    });
    assert.equal(status, 404, `${method} ${path}`);
    assert.equal(problem.code, "project_not_found", `${method} ${path}`);
  }
  const { data } = await owner.client.from("projects").select("status").eq("id", shared.id);
  assert.deepEqual(data, [{ status: "active" }]);
  // Everybody could read it, also in other tests.
  await owner.client.from("projects").delete().eq("id", open.id);
});

test("each bad message has its own code, and nothing of its batch is saved", async () => {
  const [user, other] = await Promise.all([signUp(), signUp()]);
  const project = await createProject(user);
  const elsewhere = await createProject(other);
  const { body: { messages: [theirs] } } = await save(other, elsewhere.id, {
    role: "user",
    content: "theirs",
  });
  const deleted = await createProject(user);
  await invoke(user.client, `projects/${deleted.id}`, { method: "DELETE" });
  const good = { role: "user", content: "good" };
  const cases: [body: Record<string, unknown>, status: number, code: string, id?: string][] = [
    [{ role: "bot", content: "x" }, 422, "invalid_role"],
    [{ role: "system", content: "x" }, 422, "invalid_role"],
    [{ content: "x" }, 422, "invalid_role"],
    [{ role: "user" }, 422, "content_missing"],
    [{ role: "user", content: null }, 422, "content_missing"],
    [{ ...good, sequence_number: -1 }, 422, "invalid_sequence_number"],
    [{ ...good, sequence_number: 1e12 }, 422, "invalid_sequence_number"],
    [{ ...good, sequence_number: 0.5 }, 422, "invalid_sequence_number"],
    [{ ...good, id: "a b" }, 422, "invalid_message_id"],
    [{ ...good, id: "x".repeat(65) }, 422, "invalid_message_id"],
    [{ ...good, id: "" }, 422, "invalid_message_id"],
    [{ ...good, id: 1 }, 422, "invalid_message_id"],
    [{ ...good, id: theirs.id }, 409, "message_id_used"],
    [{ ...good, status: "aborted" }, 422, "invalid_status"],
    [{ ...good, content: "x".repeat(262_143) }, 413, "content_too_large"],
    [{ ...good, owner: 1 }, 422, "invalid_request"],
    [{ ...good, user_id: other.id }, 422, "invalid_request"],
    [{ ...good, settle: { hold_id: theirs.id } }, 422, "invalid_request"],
    [{ messages: [] }, 422, "invalid_batch"],
    [{ messages: Array(101).fill(good) }, 422, "invalid_batch"],
    [{ messages: "x" }, 422, "invalid_request"],
    [{ messages: [good], role: "user" }, 422, "invalid_request"],
    [{ messages: [good, good, { ...good, role: "bot" }] }, 422, "invalid_role"],
    [good, 409, "project_deleted", deleted.id],
    [good, 404, "project_not_found", crypto.randomUUID()],
    [good, 422, "invalid_request", "1"],
  ];
  for (const [body, status, code, id = project.id] of cases) {
    const answer = await save(user, id, body);
    const what = JSON.stringify(body).slice(0, 80);
    assert.equal(answer.status, status, what);
    assert.equal(answer.body.code, code, what);
  }
  const batch = await save(user, project.id, { messages: [good, { ...good, role: "bot" }] });
  assert.equal(batch.body.index, 1);
  const broken = await fetchChecked(`${functionsUrl}/projects/${project.id}/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${user.token}` },
    body: '{"role": "user", "content": hello}',
  });
  assert.equal(broken.status, 400);
  assert.equal((await broken.json()).code, "invalid_json");
  const { count } = await user.client.from("messages").select("*", { count: "exact", head: true });
  assert.equal(count, 0);
});

test("20 concurrent clients that append and repeat at random leave 1000 consecutive messages", async () => {
  const [owner, member] = await Promise.all([signUp(), signUp()]);
  const { id, updated_at } = await createProject(owner, member);
  const clients = Array.from({ length: 20 }, (_, client) => async () => {
    for (let n = 0; n < 50; n++) {
      const message = { id: crypto.randomUUID(), role: "user", content: `${client}: ${n}` };
      const times = 1 + Math.floor(Math.random() * 2.3);
      // Some repeat at once, like a double click, and some afterwards, like a retry.
      const send = () => save(client % 2 ? owner : member, id, message);
      const answers = Math.random() < 0.5
        ? await Promise.all(Array.from({ length: times }, send))
        : [await send(), ...times > 1 ? [await send()] : []];
      for (const answer of answers) assert.equal(answer.status, 201, JSON.stringify(answer.body));
    }
  });
  await withSettings(
    { "requests.per_user": 0 },
    () => Promise.all(clients.map((append) => append())),
  );
  const numbers: number[] = [];
  const contents = new Set();
  for (let from = 0; from < 1000; from += 500) {
    const { data } = await owner.client.from("messages").select("sequence_number, content")
      .eq("project_id", id).order("sequence_number").range(from, from + 499);
    numbers.push(...data?.map((row) => row.sequence_number ?? -1) ?? []);
    for (const row of data ?? []) contents.add(row.content);
  }
  assert.deepEqual(numbers, Array.from({ length: 1000 }, (_, n) => n));
  assert.equal(contents.size, 1000);
  const { data: newest } = await owner.client.from("messages").select("created_at")
    .order("created_at", { ascending: false }).limit(1).single();
  const { data: project } = await owner.client.from("projects").select("updated_at").eq("id", id)
    .single();
  assert.ok(project && newest && project.updated_at > updated_at);
  // Set by the transaction of the newest message, which began a moment before it wrote the message.
  const lag = Date.parse(newest.created_at) - Date.parse(project.updated_at);
  assert.ok(lag >= -1 && lag < 10_000, `${lag} ms`);
});

import assert from "node:assert/strict";

import {
  cronClient,
  invoke,
  serviceClient,
  signUp,
  test,
  until,
  withDatabase,
} from "../_testing/testing.ts";

test("a project is cloned, deleted, restored, and deleted for good with its files", async () => {
  const user = await signUp();
  const { data: project } = await user.client.from("projects")
    .insert({ user_id: user.id, title: "P" }).select().single();
  const id = project?.id ?? "";
  await invoke(user.client, `projects/${id}/messages`, {
    body: { messages: [{ role: "user", content: "a" }, { role: "assistant", content: "b" }] },
  });
  const path = `${user.id}/${crypto.randomUUID()}.txt`;
  const bucket = user.client.storage.from("project-files");
  assert.equal((await bucket.upload(path, "text")).error, null);
  await user.client.from("project_files").insert({
    project_id: id,
    file_name: "f.txt",
    storage_path: path,
    file_type: "txt",
    file_size: 4,
  });

  const clone = await invoke(user.client, `projects/${id}/clone`, {
    body: { title: "Copy", with_files: true },
  });
  assert.equal(clone.status, 201);
  assert.equal(clone.body.project.title, "Copy");
  assert.equal(clone.body.messages, 2);
  assert.equal(clone.body.files, 1);

  const remove = (id: string, query = "", headers = {}) =>
    invoke(user.client, `projects/${id}${query}`, { method: "DELETE", headers });
  assert.equal((await remove(id)).body.project.status, "deleted");
  const restored = await invoke(user.client, `projects/${id}/restore`, { body: {} });
  assert.equal(restored.body.project.status, "active");

  const key = { "idempotency-key": crypto.randomUUID() };
  const gone = await remove(id, "?permanent=true", key);
  assert.equal(gone.status, 200);
  assert.equal(gone.body.messages, 2);
  assert.equal(
    (await remove(id, "?permanent=true", key)).headers.get("idempotent-replayed"),
    "true",
  );
  assert.equal((await remove(id, "?permanent=true")).status, 404);
  const { data: left } = await user.client.from("projects").select("id").eq("user_id", user.id);
  assert.deepEqual(left, [{ id: clone.body.project.id }]);
  // The copy still has the file.
  const { data: file } = await bucket.download(path);
  assert.equal(await file?.text(), "text");

  await remove(clone.body.project.id, "?permanent=true");
  await until(async () => (await bucket.download(path)).error !== null);
  assert.equal((await remove(id, "?permanent=maybe")).body.code, "invalid_request");
});

test("a project whose messages take long to delete is deleted for good in time, the rest by the cleanup", async () => {
  const user = await signUp();
  const { data: project } = await user.client.from("projects")
    .insert({ user_id: user.id, title: "P" }).select().single();
  const id = project?.id ?? "";
  const messages = Array.from({ length: 100 }, () => ({ role: "user", content: "a" }));
  await invoke(user.client, `projects/${id}/messages`, { body: { messages } });
  const left = () =>
    withDatabase(async (sql) => {
      const [row] = await sql`select count(*)::int as rows from messages where project_id = ${id}`;
      return row?.rows;
    });
  await withDatabase(async (sql) => {
    // Very large messages take as long, but would keep the processor busy.
    await sql`create function private.wait() returns trigger language plpgsql as
      'begin perform pg_sleep(0.1); return old; end'`;
    await sql`create trigger wait before delete on messages for each row execute function private.wait()`;
    try {
      const { status, body } = await invoke(user.client, `projects/${id}?permanent=true`, {
        method: "DELETE",
      });
      assert.deepEqual([status, body.project.status], [200, "deleted"]);
      assert.ok(await left() > 0 && await left() < 100);
      const restored = await invoke(user.client, `projects/${id}/restore`, { body: {} });
      assert.equal(restored.body.code, "project_purged");
    } finally {
      await sql`drop function private.wait() cascade`;
    }
  });
  await invoke(cronClient(), "cleanup", { body: { jobs: ["deleted_projects"] } });
  assert.equal(await left(), 0);
});

test("DELETE /projects/:id with many idempotency keys keeps no copies of a large project", async () => {
  const user = await signUp();
  const { data: project } = await user.client.from("projects")
    .insert({ user_id: user.id, title: "P", system_prompt: "x".repeat(100_000) }).select().single();
  const id = project?.id ?? "";
  const keys = [1, 2, 3].map(() => ({ "idempotency-key": crypto.randomUUID() }));
  const remove = (headers?: Record<string, string>) =>
    invoke(user.client, `projects/${id}`, { method: "DELETE", headers: headers ?? {} });
  const deleted = await Promise.all(keys.map(remove));
  assert.deepEqual(deleted.map((answer) => answer.body.project.status), Array(3).fill("deleted"));
  const [kept] = await withDatabase((sql) =>
    sql`select sum(octet_length(response::text))::int as bytes from private.idempotency_keys
      where owner_id = ${user.id}`
  );
  assert.ok(kept?.bytes < 1000, `${kept?.bytes} bytes are kept`);
  const repeat = await remove(keys[0]);
  assert.equal(repeat.headers.get("idempotent-replayed"), "true");
  assert.deepEqual(repeat.body, deleted[0]?.body);
  await invoke(user.client, `projects/${id}/restore`, { body: {} });
  assert.equal((await remove(keys[0])).body.project.status, "active");
  await invoke(user.client, `projects/${id}?permanent=true`, { method: "DELETE" });
  assert.equal((await remove(keys[0])).body.code, "project_not_found");
});

test("a service deletes and clones for the user that it names", async () => {
  const user = await signUp();
  const service = serviceClient();
  const { data: project } = await user.client.from("projects")
    .insert({ user_id: user.id, title: "P" }).select().single();
  const clone = await invoke(service, `projects/${project?.id}/clone`, {
    body: { user_id: user.id, with_messages: false },
  });
  assert.equal(clone.body.project.user_id, user.id);
  const path = `projects/${project?.id}?user_id=${user.id}`;
  assert.equal((await invoke(service, path, { method: "DELETE" })).status, 200);
  const unnamed = await invoke(service, `projects/${project?.id}`, { method: "DELETE" });
  assert.equal(unnamed.body.code, "invalid_request");
});

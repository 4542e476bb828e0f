import assert from "node:assert/strict";

import type postgres from "postgres";

import {
  cronClient,
  invoke,
  serviceClient,
  signUp,
  test,
  type TestUser,
  until,
  withDatabase,
} from "../_testing/testing.ts";

/** More messages than the request that begins a clone copies. */
const MANY = 2_500;

/** Creates a project with numbered messages. */
async function createProject(user: TestUser, messages: number, is_public = false) {
  const { data: project, error } = await user.client.from("projects")
    .insert({ user_id: user.id, title: "P", is_public }).select().single();
  if (error) throw error;
  await withDatabase((sql) =>
    sql`insert into messages (project_id, role, content, sequence_number)
      select ${project.id}, 'user', to_jsonb(n), n from generate_series(0, ${messages - 1}) as n`
  );
  return project.id;
}

/** Runs the cleanup of clones until it has nothing left to do. */
function copyAll() {
  return until(async () => {
    const { body } = await invoke(cronClient(), "cleanup", { body: { jobs: ["project_clones"] } });
    return body.jobs[0].outcome === "done";
  });
}

test("POST /projects/:id/clone copies a large project in the background, and GET says how far it is", async () => {
  const [owner, stranger] = await Promise.all([signUp(), signUp()]);
  const id = await createProject(owner, MANY, true);
  const headers = { "idempotency-key": crypto.randomUUID() };
  const begin = () =>
    invoke(stranger.client, `projects/${id}/clone`, { body: { title: "Mine" }, headers });
  const begun = await begin();
  assert.equal(begun.status, 202);
  assert.equal(begun.body.status, "copying");
  assert.ok(begun.body.messages < MANY);
  assert.equal(begun.body.total_messages, MANY);
  assert.equal(begun.body.project, null);
  const base = `http://example.com/functions/v1/projects/${id}/clone`;
  const state = `projects/clones/${begun.body.id}`;
  assert.equal(
    new URL(begun.headers.get("location") ?? "", base).pathname,
    `/functions/v1/${state}`,
  );

  const { replayed: _, ...same } = begun.body;
  assert.deepEqual((await invoke(stranger.client, state)).body, same);
  assert.equal((await invoke(owner.client, state)).body.code, "clone_not_found");
  const asService = await invoke(serviceClient(), `${state}?user_id=${stranger.id}`);
  assert.deepEqual(asService.body, same);
  const seen = await stranger.client.from("projects").select("id").eq("id", begun.body.id);
  assert.deepEqual(seen.data, []);
  const write = await invoke(stranger.client, `projects/${begun.body.id}/messages`, {
    body: { role: "user", content: "x" },
  });
  assert.equal(write.body.code, "project_cloning");

  await copyAll();
  const { body: done } = await invoke(stranger.client, state);
  assert.equal(done.status, "complete");
  assert.equal(done.messages, MANY);
  assert.equal(done.project.title, "Mine");
  const { count } = await stranger.client.from("messages")
    .select("id", { count: "exact", head: true }).eq("project_id", done.id);
  assert.equal(count, MANY);
  const repeat = await begin();
  assert.equal(repeat.status, 201);
  assert.equal(repeat.headers.get("idempotent-replayed"), "true");
  assert.equal(repeat.body.id, done.id);
  await invoke(stranger.client, `projects/${done.id}?permanent=true`, { method: "DELETE" });
  assert.equal((await begin()).body.code, "clone_deleted");
  // Other tests expect no public projects.
  await owner.client.from("projects").delete().eq("id", id);
});

test("a clone of messages that take long to copy is copied in portions that end in time", async () => {
  const [owner, cloner] = await Promise.all([signUp(), signUp()]);
  const id = await createProject(owner, 100, true);
  await withDatabase(async (sql) => {
    // Very large messages take as long, but would keep the processor busy.
    await sql`create function private.wait() returns trigger language plpgsql as
      'begin perform pg_sleep(0.1); return new; end'`;
    await sql`create trigger wait before insert on messages for each row execute function private.wait()`;
    try {
      const { status, body } = await invoke(cloner.client, `projects/${id}/clone`, { body: {} });
      assert.equal(status, 202);
      assert.ok(body.messages > 0 && body.messages < 100);
      await invoke(cloner.client, `projects/${body.id}?permanent=true`, { method: "DELETE" });
    } finally {
      await sql`drop function private.wait() cascade`;
    }
  });
  await copyAll();
  await owner.client.from("projects").delete().eq("id", id);
});

test("the owner of a project saves messages while a stranger's clone of it is being copied", async () => {
  const [owner, stranger] = await Promise.all([signUp(), signUp()]);
  const id = await createProject(owner, 10, true);
  const save = () =>
    invoke(owner.client, `projects/${id}/messages`, { body: { role: "user", content: "mine" } });
  // As long as this transaction is open, it holds all its locks.
  await withDatabase((sql) =>
    sql.begin(async (transaction) => {
      const [clone] = await transaction` select * from clone_project(${stranger.id}, ${id})`;
      assert.equal(clone?.messages, 10);
      const saved = await save();
      assert.equal(saved.status, 201);
      assert.equal(saved.body.messages[0].sequence_number, 10);
      const renamed = await owner.client.from("projects").update({ title: "New" }).eq("id", id)
        .select("title");
      assert.deepEqual(renamed.data, [{ title: "New" }]);
    })
  );
  await owner.client.from("projects").delete().eq("id", id);
});

test("clones of one user that begin at once stay within the limit", async () => {
  const user = await signUp();
  const id = await createProject(user, MANY);
  const [{ most }] = await withDatabase((sql) =>
    sql<[{ most: number }]>`
      select value::int as most from private.settings where name = 'projects.clones_at_once'`
  );
  const answers = await Promise.all(
    Array.from(
      { length: most + 3 },
      () => invoke(user.client, `projects/${id}/clone`, { body: {} }),
    ),
  );
  const statuses = answers.map((answer) => answer.status).sort();
  assert.deepEqual(statuses, [...Array(most).fill(202), ...Array(3).fill(429)]);
  const refused = answers.find((answer) => answer.status === 429);
  assert.equal(refused?.body.code, "too_many_clones");
  assert.equal(refused?.body.most, most);
  // One request with one key begins one clone, also when it is sent many times at once.
  await copyAll();
  const headers = { "idempotency-key": crypto.randomUUID() };
  const repeats = await Promise.all(
    Array.from(
      { length: 5 },
      () => invoke(user.client, `projects/${id}/clone`, { body: {}, headers }),
    ),
  );
  assert.equal(new Set(repeats.map((answer) => answer.body.id)).size, 1);
  await copyAll();
});

test("a portion that is interrupted is copied again, and no message twice", async () => {
  const user = await signUp();
  const id = await createProject(user, MANY);
  const { body: begun } = await invoke(user.client, `projects/${id}/clone`, { body: {} });
  // The connection is lost after a portion has been copied and before it is committed.
  await withDatabase(async (sql) => {
    const [copied] = await sql.unsafe(`
      begin;
      select * from private.continue_clones(500);
      select pg_backend_pid() as process, (select count(*)::int from messages where project_id = '${begun.id}')`)
      .simple().then((results) => results[2] as unknown as postgres.Row[]);
    // Not necessarily all 500: a portion ends after two seconds.
    assert.ok(copied?.count > begun.messages, `${copied?.count} ${begun.messages}`);
    await withDatabase((other) => other`select pg_terminate_backend(${copied?.process})`);
  });
  await copyAll();
  const [numbers] = await withDatabase((sql) =>
    sql`select count(*)::int as messages, count(distinct sequence_number)::int as numbers,
      max(sequence_number) as newest from messages where project_id = ${begun.id}`
  );
  assert.deepEqual({ ...numbers }, { messages: MANY, numbers: MANY, newest: MANY - 1 });
});

import assert from "node:assert/strict";

import type { SupabaseClient } from "@supabase/supabase-js";
import type { Sql } from "postgres";

import { signUp, test, type TestUser, withDatabase } from "../../functions/_testing/testing.ts";

/** The printed queries by document and title, in the order in which they are printed. */
const SNIPPETS = Deno.readTextFileSync(new URL("snippets.txt", import.meta.url))
  .split(/^-- (?=\w+: )/m).slice(1)
  .map((part) => {
    const [title = "", ...sql] = part.split("\n");
    return { title: title.replace(/ -+$/, ""), sql: sql.join("\n").trim() };
  });

// deno-lint-ignore no-explicit-any -- each row is of another shape
type Rows = any[];

/** What a user has, for the queries to find. */
interface Cast {
  project: string;
  task: string;
}

/** What each query gives, according to its document. */
const GIVES: Record<string, (rows: Rows, cast: Cast, sql: Sql) => void | Promise<void>> = {
  "codingit: Retrieve All Tasks for a User": (rows) => {
    assert.deepEqual(rows.map(({ prompt }) => prompt), ["newer", "older"], "the newest first");
    assert.deepEqual(Object.keys(rows[0]).length, 12);
    assert.deepEqual(rows[0].logs, []);
  },
  "codingit: Create a New Task": ([row]) => {
    assert.deepEqual(Object.keys(row), ["id", "created_at"]);
  },
  "codingit: Update Task Progress and Add Log": async (_, { task }, sql) => {
    const [row] = await sql`select progress, logs from tasks where id = ${task}`;
    assert.equal(row?.progress, 50);
    assert.deepEqual(row?.logs.map(({ id }: { id: string }) => id), ["def456"]);
  },
  "codingit: Get Workspace Files for a Directory": (rows) => {
    assert.deepEqual(rows.map(({ name }) => name), ["forms", "Button.tsx"], "directories first");
    assert.deepEqual(Object.keys(rows[0]), [
      "id",
      "name",
      "is_directory",
      "mime_type",
      "size_bytes",
      "created_at",
      "updated_at",
    ]);
  },
  "codingit: Get File Content by Path": (rows) => {
    assert.deepEqual(rows.map(({ content }) => content), ["code"]);
  },
  "codingit: Search Messages by Content": (rows) => {
    assert.deepEqual(rows.map(({ role, project_title }) => [role, project_title]), [["user", "P"]]);
    assert.deepEqual(rows[0].content, { type: "text", value: "An authentication bug" });
  },
  "codingit: Get Project with Latest Message": (rows) => {
    assert.deepEqual(rows.map(({ title }) => title), ["P"]);
    assert.deepEqual(rows[0].latest_message_content, { type: "text", value: "The newest" });
    assert.ok(rows[0].last_activity instanceof Date);
  },
  "codingit: Count Tasks by Status": (rows) => {
    assert.deepEqual(rows.map(({ status, count }) => [status, Number(count)]), [["pending", 2]]);
  },
  "codingit: Call Save Message Function": async (_, { project }, sql) => {
    const [row] = await sql`select role, content from messages
      where project_id = ${project} and sequence_number = 5`;
    assert.deepEqual({ ...row }, {
      role: "user",
      content: { type: "text", value: "How do I fix this bug?" },
    });
  },
  "sorar: Get User Dashboard Data": ([row]) => {
    const [value] = Object.values(row) as Record<string, unknown>[];
    assert.deepEqual(Object.keys(value!).toSorted(), [
      "active_goals",
      "profile",
      "progress",
      "settings",
    ]);
  },
  "sorar: Get User Statistics": ([row]) => {
    assert.equal(Number(row.active_goals), 1);
  },
  "sorar: Get Recent Chat Sessions": (rows) => {
    assert.equal(rows.length, 10);
    assert.equal(rows[0].scenario_id, "12");
    assert.equal(Number(rows[0].message_count), 1);
  },
  "sorar: Get Active Goals": (rows) => {
    assert.deepEqual(rows.map(({ title }) => title), ["Active"]);
  },
};

/** Gives a user what the queries look for, in a transaction, and makes it one of the user's requests. */
async function setScene(sql: Sql, user: TestUser): Promise<Cast> {
  const [project] =
    await sql`insert into projects (user_id, title) values (${user.id}, 'P') returning id`;
  const [task] = await sql`insert into tasks (user_id, prompt, created_at) values
    (${user.id}, 'older', now() - interval '1 hour'), (${user.id}, 'newer', now()) returning id`;
  await sql`insert into workspace_files (user_id, path, name, content, is_directory, parent_path) values
    (${user.id}, 'src/components/Button.tsx', 'Button.tsx', 'code', false, 'src/components/'),
    (${user.id}, 'src/components/forms', 'forms', '', true, 'src/components/')`;
  await sql`insert into messages (project_id, role, content, sequence_number, created_at) values
    (${project?.id}, 'user', ${
    sql.json({ type: "text", value: "An authentication bug" })
  }, 0, now() - interval '1 hour'),
    (${project?.id}, 'assistant', ${sql.json({ type: "text", value: "The newest" })}, 1, now())`;
  await sql`insert into user_goals (user_id, title, status) values
    (${user.id}, 'Active', 'active'), (${user.id}, 'Paused', 'paused')`;
  await sql`insert into chat_sessions (user_id, scenario_id, created_at)
    select ${user.id}, n, now() + n * interval '1 second' from generate_series(1, 12) as n`;
  await sql`insert into chat_messages (session_id, sender, content)
    select id, 'user', 'x' from chat_sessions where user_id = ${user.id}`;
  await sql`select set_config('request.jwt.claims', ${
    JSON.stringify({ sub: user.id, role: "authenticated", aud: "authenticated" })
  }, true), set_config('role', 'authenticated', true)`;
  return { project: project?.id, task: task?.id };
}

test("every query that the documents print runs as it is printed, and gives what the document says", async () => {
  assert.deepEqual(SNIPPETS.map(({ title }) => title), Object.keys(GIVES));
  const [user, other] = [await signUp(), await signUp()];
  for (const { title, sql: printed } of SNIPPETS) {
    class TakenBack extends Error {}
    await withDatabase((sql) =>
      sql.begin(async (tx) => {
        // Another user has the same.
        await setScene(tx as unknown as Sql, other);
        await tx`reset role`;
        const cast = await setScene(tx as unknown as Sql, user);
        // The document writes these for the ids; that of a task is a number.
        const query = printed.replace("task-uuid-here", cast.task)
          .replace("project-uuid-here", cast.project);
        const rows = await tx.unsafe(query);
        await GIVES[title]?.([...rows], cast, tx as unknown as Sql);
        throw new TakenBack();
      })
    ).catch((error) => {
      if (!(error instanceof TakenBack)) {
        throw new Error(`${title}: ${error.message}`, { cause: error });
      }
    });
  }
});

// The functions of CodingIT-1's lib/database.ts and lib/tasks.ts call Supabase like this.

// deno-lint-ignore no-explicit-any -- as the document has it
type AnyClient = SupabaseClient<any, "public", any>;

async function saveMessage(
  supabase: AnyClient,
  projectId: string,
  message: { role: string; content: unknown; object?: unknown; result?: unknown },
  sequenceNumber: number,
): Promise<boolean> {
  const { error } = await supabase.rpc("save_message_and_update_project", {
    project_id_param: projectId,
    role_param: message.role,
    content_param: message.content,
    object_data_param: message.object,
    result_data_param: message.result,
    sequence_number_param: sequenceNumber,
  });
  if (error) throw error;
  return true;
}

async function deleteProject(supabase: AnyClient, id: string, permanent = false): Promise<void> {
  const { error } = permanent
    ? await supabase.from("projects").delete().eq("id", id)
    : await supabase.from("projects").update({
      deleted_at: new Date().toISOString(),
      status: "deleted",
    }).eq("id", id);
  if (error) throw error;
}

async function deleteTasksByStatus(supabase: AnyClient, statuses: string[]): Promise<number> {
  const { data, error } = await supabase.from("tasks").delete().in("status", statuses).select();
  return error ? 0 : data?.length || 0;
}

test("CodingIT-1: the functions that the document prints do what it says", async () => {
  const { id, client } = await signUp();
  const supabase = client as unknown as AnyClient;
  const { data: project } = await supabase.from("projects").insert({ user_id: id, title: "P" })
    .select().single();
  const read = () =>
    supabase.from("messages").select("role, content, object_data, result_data, sequence_number")
      .eq("project_id", project.id);
  assert.ok(await saveMessage(supabase, project.id, { role: "user", content: [{ a: 1 }] }, 0));
  const changed = { role: "assistant", content: [{ b: 2 }], object: { c: 3 }, result: { d: 4 } };
  assert.ok(await saveMessage(supabase, project.id, changed, 0));
  assert.deepEqual((await read()).data, [{
    role: "assistant",
    content: [{ b: 2 }],
    object_data: { c: 3 },
    result_data: { d: 4 },
    sequence_number: 0,
  }], "the number is upserted");
  const { data: touched } = await supabase.from("projects").select("updated_at").single();
  assert.ok(touched!.updated_at > project.updated_at);

  const prompts = ["completed", "error", "pending"];
  await supabase.from("tasks").insert(
    prompts.map((status) => ({ user_id: id, prompt: "x", status })),
  );
  assert.equal(await deleteTasksByStatus(supabase, ["completed", "error"]), 2);
  assert.deepEqual((await supabase.from("tasks").select("status")).data, [{ status: "pending" }]);

  await deleteProject(supabase, project.id);
  const { data: deleted } = await supabase.from("projects").select("status, deleted_at").single();
  assert.equal(deleted?.status, "deleted");
  assert.ok(deleted.deleted_at);
  await deleteProject(supabase, project.id, true);
  assert.deepEqual((await supabase.from("projects").select("id")).data, []);
});

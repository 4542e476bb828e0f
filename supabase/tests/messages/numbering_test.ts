import assert from "node:assert/strict";

import type { Database } from "../../functions/_shared/database.types.ts";
import { serviceClient, signUp, test, withDatabase } from "../../functions/_testing/testing.ts";

test("a message without a number never replaces one that another client inserts directly", async () => {
  const { id, client } = await signUp();
  const { data: project } = await client.from("projects").insert({ user_id: id, title: "P" })
    .select("id").single();
  assert.ok(project);
  const saves = Array.from({ length: 30 }, (_, n) =>
    client.rpc("save_message_and_update_project", {
      project_id_param: project.id,
      role_param: "user",
      content_param: `saved ${n}`,
    }));
  const inserts = Array.from({ length: 30 }, (_, n) =>
    client.from("messages").insert({
      project_id: project.id,
      role: "user",
      content: `inserted ${n}`,
      sequence_number: n,
    }));
  const answers = await Promise.all([...saves, ...inserts]);
  // Only a taken number may be refused, and nothing deadlocks. If all inserts come first, none is refused.
  const codes = new Set(answers.flatMap((answer) => answer.error?.code ?? []));
  assert.deepEqual([...codes].filter((code) => code !== "23505"), []);
  const written = answers.filter((answer) => answer.error === null).length;
  const late = await client.from("messages")
    .insert({ project_id: project.id, role: "user", content: "late", sequence_number: 0 });
  assert.equal(late.error?.code, "23505");
  const { data: messages } = await client.from("messages").select("content");
  assert.equal(new Set(messages?.map((message) => message.content)).size, written);
});

test("20 posts of one message at once save it once", async () => {
  const { id: user_id, client } = await signUp();
  const service = serviceClient();
  const { data: project } = await client.from("projects").insert({ user_id, title: "P" })
    .select("id").single();
  assert.ok(project);
  const to = { user_id, project_id: project.id };
  const requests: Database["public"]["Functions"]["save_messages"]["Args"][] = [
    { ...to, messages: [{ role: "user", content: "key" }], idempotency_key: crypto.randomUUID() },
    { ...to, messages: [{ role: "user", content: "id", id: crypto.randomUUID() }] },
    {
      ...to,
      messages: [{ role: "user", content: "both", id: crypto.randomUUID() }],
      idempotency_key: crypto.randomUUID(),
    },
  ];
  for (const request of requests) {
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => await service.rpc("save_messages", request)),
    );
    assert.deepEqual(answers.flatMap((answer) => answer.error ?? []), []);
    const saved = new Set(answers.map((answer) => JSON.stringify(answer.data?.messages)));
    assert.equal(saved.size, 1, "Each answer is the same message");
  }
  const { data: messages } = await client.from("messages").select("sequence_number, content")
    .order("sequence_number");
  assert.deepEqual(
    messages,
    ["key", "id", "both"].map((content, sequence_number) => ({ sequence_number, content })),
  );
});

test("messages that 20 callers save at once are numbered without gaps or duplicates", async () => {
  const [owner, member] = await Promise.all([signUp(), signUp()]);
  const service = serviceClient();
  const { data: team } = await service.from("teams").insert({ name: "T" }).select("id").single();
  assert.ok(team);
  await service.from("team_members").insert([
    { team_id: team.id, user_id: owner.id, role: "owner" },
    { team_id: team.id, user_id: member.id, role: "member" },
  ]);
  const { data: project } = await owner.client.from("projects")
    .insert({ user_id: owner.id, team_id: team.id, title: "P" }).select("id").single();
  assert.ok(project);

  const answers = await Promise.all(
    Array.from(
      { length: 100 },
      (_, n) =>
        (n % 2 ? owner : member).client.rpc("save_message_and_update_project", {
          project_id_param: project.id,
          role_param: "user",
          content_param: { n },
        }),
    ),
  );
  assert.deepEqual(answers.flatMap((answer) => answer.error ?? []), []);
  const { data: messages } = await owner.client.from("messages").select("sequence_number, content")
    .order("sequence_number");
  assert.deepEqual(
    messages?.map((message) => message.sequence_number),
    Array.from({ length: 100 }, (_, n) => n),
  );
  assert.equal(new Set(messages?.map((message) => JSON.stringify(message.content))).size, 100);
});

test("a stranger who inserts into a private project neither learns its numbers nor waits for it", async () => {
  const [owner, stranger] = await Promise.all([signUp(), signUp()]);
  const { data: project } = await owner.client.from("projects")
    .insert({ user_id: owner.id, title: "P" }).select("id").single();
  assert.ok(project);
  const insert = (sequence_number: number) =>
    stranger.client.from("messages")
      .insert({ project_id: project.id, role: "user", content: "x", sequence_number });
  await withDatabase((sql) =>
    sql.begin(async (transaction) => {
      // Locks the project, as every message that is saved does.
      await transaction`update projects set title = 'Q' where id = ${project.id}`;
      for (const number of [0, 50, 500, 2_000_000]) {
        assert.equal((await insert(number)).error?.code, "42501", `number ${number}`);
      }
    })
  );
});

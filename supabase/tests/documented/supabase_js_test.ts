import assert from "node:assert/strict";

import { anonymousClient, signUp, test, withDatabase } from "../../functions/_testing/testing.ts";

test("signing up through the Auth API creates every row of an account", async () => {
  const { id, client } = await signUp();
  const tables = [
    "user_profiles",
    "user_preferences",
    "user_settings",
    "user_security_settings",
    "user_chat_analytics",
    "user_credits",
  ] as const;
  for (const table of tables) {
    const { data, error } = await client.from(table as "user_profiles").select("user_id");
    assert.equal(error, null, table);
    assert.deepEqual(data, [{ user_id: id }], table);
  }
  assert.deepEqual((await client.from("profiles").select("id")).data, [{ id }]);
});

test("deleting a user leaves no row of theirs in any table", async () => {
  const { id } = await signUp();
  const traces = () =>
    withDatabase(async (sql) => {
      const columns = await sql`
        select a.attrelid::regclass::text as table, a.attname as column from pg_attribute a
        join pg_class c on c.oid = a.attrelid and c.relkind = 'r'
        where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'auth'::regnamespace)
          and a.atttypid = 'uuid'::regtype and not a.attisdropped`;
      let rows = 0;
      for (const { table, column } of columns) {
        const [row] = await sql.unsafe(
          `select count(*)::int as rows from ${table} where "${column}" = $1 and $2::regclass <>
            'auth.refresh_tokens'::regclass`,
          [id, table],
        );
        rows += row?.rows;
      }
      return rows;
    });
  assert.ok(await traces() > 8);
  await withDatabase((sql) => sql`delete from auth.users where id = ${id}`);
  assert.equal(await traces(), 0);
});

test("Wbot: a conversation and its first message, as documented", async () => {
  const { id, client } = await signUp();
  const { data: conversation } = await client.from("conversations")
    .insert({ user_id: id, title: "New Chat" }).select().single();
  assert.equal(conversation?.title, "New Chat");
  const { data: message } = await client.from("messages")
    .insert({
      conversation_id: conversation!.id,
      role: "user",
      content: 'Plain "text" stays\ntext',
    })
    .select().single();
  assert.equal(message?.content, 'Plain "text" stays\ntext');
  await client.from("messages")
    .insert({ conversation_id: conversation!.id, role: "assistant", content: "Answer" });

  const { data: conversations } = await client.from("conversations").select("*")
    .order("updated_at", { ascending: false });
  assert.deepEqual(conversations?.map((row) => row.id), [conversation!.id]);
  const { data: messages } = await client.from("messages").select("*")
    .eq("conversation_id", conversation!.id).order("created_at", { ascending: true });
  assert.deepEqual(messages?.map((row) => row.role), ["user", "assistant"]);
});

test("CodingIT-1: save a message by rpc, delete tasks by status, delete projects softly and for good", async () => {
  const { id, client } = await signUp();
  const { data: project } = await client.from("projects").insert({ user_id: id, title: "P" })
    .select()
    .single();
  const { data: saved, error } = await client.rpc("save_message_and_update_project", {
    project_id_param: project!.id,
    role_param: "user",
    content_param: { type: "text", value: "x" },
    object_data_param: undefined as never,
    result_data_param: undefined as never,
    sequence_number_param: 0,
  });
  assert.equal(error, null);
  assert.equal(saved?.sequence_number, 0);

  await client.from("tasks").insert([
    { user_id: id, prompt: "a", status: "completed" },
    { user_id: id, prompt: "b", status: "error" },
    { user_id: id, prompt: "c" },
  ]);
  const { data: deleted } = await client.from("tasks").delete().in("status", ["completed", "error"])
    .select();
  assert.equal(deleted?.length, 2);

  const { error: soft } = await client.from("projects")
    .update({ deleted_at: new Date().toISOString(), status: "deleted" }).eq("id", project!.id);
  assert.equal(soft, null);
  const { error: refused } = await client.rpc("save_message_and_update_project", {
    project_id_param: project!.id,
    role_param: "user",
    content_param: "x",
  });
  assert.deepEqual([refused?.code, refused?.details], ["PT409", "project_deleted"]);
  assert.equal((await client.from("projects").delete().eq("id", project!.id)).error, null);
  assert.deepEqual((await client.from("messages").select("id")).data, []);
});

test("Chuk Chat: settings are upserted by user_id, projects are archived and read with their name", async () => {
  const { id, client } = await signUp();
  for (const theme_mode of ["dark", "light"]) {
    const { error } = await client.from("theme_settings")
      .upsert({ user_id: id, theme_mode, updated_at: new Date().toISOString() }, {
        onConflict: "user_id",
      });
    assert.equal(error, null);
  }
  assert.deepEqual((await client.from("theme_settings").select("theme_mode")).data, [
    { theme_mode: "light" },
  ]);
  await client.from("user_preferences").upsert({ user_id: id, selected_model_id: "m" }, {
    onConflict: "user_id",
  });
  await client.from("customization_preferences").upsert({ user_id: id, show_tps: true }, {
    onConflict: "user_id",
  });
  await client.from("projects").insert({ user_id: id, title: "P", is_archived: true });
  const { data } = await client.from("projects").select("name, status").eq("user_id", id).single();
  assert.deepEqual(data, { name: "P", status: "archived" });
});

test("Sorar AI: a session with its messages, progress by upsert, and the profile in one call", async () => {
  const { id, client } = await signUp();
  const { data: session } = await client.from("chat_sessions")
    .insert({ user_id: id, scenario_id: "interview", status: "active" }).select().single();
  await client.from("chat_messages")
    .insert({ session_id: session!.id, sender: "user", content: "Hello" });
  for (const metric_value of [1, 2.5]) {
    const { error } = await client.from("user_progress")
      .upsert({ user_id: id, metric_type: "sessions_completed", metric_value }, {
        onConflict: "user_id, metric_type",
      });
    assert.equal(error, null);
  }
  const { data: sessions } = await client.from("chat_sessions_with_counts").select("message_count");
  assert.deepEqual(sessions, [{ message_count: 1 }]);
  const { data: profile } = await client.rpc("get_user_full_profile", { user_uuid: id });
  assert.equal(
    (profile as { progress: { metric_value: number }[] }).progress[0]?.metric_value,
    2.5,
  );
  assert.deepEqual(
    (await client.from("user_settings").select("*, notifications").single()).data?.notifications,
    true,
  );
});

test("Wbot: the content of a message behaves as TEXT", async () => {
  const { client, id } = await signUp();
  const { data: conversation } = await client.from("conversations").insert({ user_id: id }).select()
    .single();
  const conversation_id = conversation?.id ?? "";
  const texts = ["Breathe in slowly", "breathe OUT", "50% of it"];
  for (const content of texts) {
    const { data } = await client.from("messages").insert({
      conversation_id,
      role: "user",
      content,
    }).select().single();
    assert.equal(data?.content, content);
  }
  const found = async (operator: "like" | "ilike", pattern: string) => {
    const { data, error } = await client.from("messages").select("content")
      .eq("conversation_id", conversation_id).filter("content", operator, pattern)
      .order("created_at");
    assert.equal(error, null);
    return data?.map(({ content }) => content);
  };
  assert.deepEqual(await found("ilike", "breathe%"), texts.slice(0, 2));
  assert.deepEqual(await found("like", "breathe%"), [texts[1]]);
  assert.deepEqual(await found("ilike", "%_u_"), ["breathe OUT"]);
  assert.deepEqual(await found("ilike", "%\\%%"), ["50% of it"]);
  const { data: equal } = await client.from("messages").select("content")
    .eq("content", JSON.stringify(texts[0]));
  assert.deepEqual(equal, [{ content: texts[0] }]);
});

test("Sorar AI: notifications are switched off under either name", async () => {
  const { client, id } = await signUp();
  const read = async () =>
    (await client.from("user_settings").select("notifications, notifications_enabled").single())
      .data;
  await client.from("user_settings").update({ notifications: false }).eq("user_id", id);
  assert.deepEqual(await read(), { notifications: false, notifications_enabled: false });
  await client.from("user_settings").update({ notifications_enabled: true }).eq("user_id", id);
  assert.deepEqual(await read(), { notifications: true, notifications_enabled: true });
  const { error } = await client.from("user_settings").upsert(
    { user_id: id, notifications: false },
    { onConflict: "user_id" },
  );
  assert.equal(error, null);
  assert.deepEqual(await read(), { notifications: false, notifications_enabled: false });
});

test("Sorar AI: a visitor may send the time of the visit", async () => {
  const visit = (timestamp: string) =>
    anonymousClient().from("site_visits").insert({ path: "/", timestamp });
  assert.equal((await visit(new Date(Date.now() - 60_000).toISOString())).error, null);
  assert.equal((await visit("2020-01-01T00:00:00Z")).error?.code, "42501");
});

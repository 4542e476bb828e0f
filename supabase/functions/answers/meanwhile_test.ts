import assert from "node:assert/strict";

import type { UIMessageChunk } from "ai";

import {
  serviceClient,
  signUp,
  soak,
  test,
  type TestUser,
  until,
  withDatabase,
} from "../_testing/testing.ts";
import {
  ask,
  booksOf,
  post,
  readChunks,
  readEvents,
  resume,
  stop,
  type StreamEvent,
  textIn,
} from "./answers_testing.ts";
import { IN_TWO_HALVES, withHeldProvider } from "./held_provider_testing.ts";
import { assertSettled } from "./odd_provider_testing.ts";

/** Devices that follow one answer; with `SOAK=40`, 1,000. */
const FOLLOWERS = Math.ceil(25 * soak);

/** Waits until a word of the running answer is stored. */
function untilStored(user: TestUser, word: string): Promise<void> {
  return until(() =>
    withDatabase(async (sql) => {
      const [row] = await sql`select from answer_parts where user_id = ${user.id}
        and pieces::text like ${`%${word}%`}`;
      return row !== undefined;
    })
  );
}

test("a stop, another stop, a resume and a regenerate when an answer ends leave each answer with one price", async () => {
  const users = await Promise.all(Array.from({ length: 5 }, () => signUp()));
  await Promise.all(users.map(async (user, n) => {
    const response = await post(user, { id: "chat", message: "[words=8] [pace=2]" });
    let count = 0;
    let meanwhile: Promise<Response[]> | undefined;
    const { done } = await readEvents(response, ({ chunk }) => {
      if (++count < 6 + n * 2 && chunk.type !== "text-end") return false;
      meanwhile ??= Promise.all([
        stop(user, "chat"),
        post(user, { id: "chat", trigger: "regenerate-message" }, {
          headers: { accept: "application/json" },
        }),
        resume(user, "chat"),
        stop(user, "chat"),
      ]);
      return false;
    });
    assert.ok(done);
    const [stopped, again, followed, twice] = await meanwhile!;
    assert.deepEqual([stopped?.status, twice?.status], [200, 200]);
    assert.ok([200, 204].includes(followed!.status), String(followed!.status));
    const body = await again!.json();
    assert.ok(again!.status === 200 || body.code === "answer_running", JSON.stringify(body));
    for (const one of [stopped, followed, twice]) await one?.body?.cancel();
    const { answers, charged } = await booksOf(user);
    assert.equal(answers.length, again!.status === 200 ? 2 : 1);
    const sum = answers.reduce((all, { credits }) => all + Number(credits), 0);
    assert.equal(charged.toFixed(4), sum.toFixed(4));
    const { data } = await user.client.from("messages").select("role, status");
    // The second stop may end the new answer before its first word: then it has no message, and costs nothing.
    const last = answers.at(-1)!;
    assert.ok(last.content !== null || last.state === "stopped" && Number(last.credits) === 0);
    const roles = last.content === null ? ["user"] : ["assistant", "user"];
    assert.deepEqual(data?.map(({ role }) => role).toSorted(), roles);
    await assertSettled(user);
  }));
});

test("an answer costs what its model cost when it began, even if the model is switched off meanwhile", async () => {
  const user = await signUp();
  await withHeldProvider([IN_TWO_HALVES], async (model, goOn) => {
    const reading = readEvents(await post(user, { id: "chat", message: "Hi", model }));
    await untilStored(user, "four");
    await withDatabase((sql) =>
      sql`insert into models (name, provider, endpoint_model, context_tokens, output_tokens, input_price, output_price,
          enabled) select name, provider, endpoint_model, context_tokens, output_tokens, 500000, 500000, false
          from models where name = ${model}`
    );
    goOn();
    assert.ok((await reading).done);
    const { answers: [answer], charged } = await booksOf(user);
    assert.deepEqual([answer?.state, answer?.usage_source], ["complete", "provider"]);
    const price = Number(answer?.input_tokens) * 1000 + Number(answer?.output_tokens) * 4000;
    assert.equal(charged, Math.round(price / 100) / 1e4);
    const next = await ask(user, { id: "chat", message: "Again", model });
    assert.deepEqual([next.status, next.body.code], [422, "unknown_model"]);
  });
});

test("a clock that steps leaves an answer with one ending and one price", async () => {
  for (const step of ["-1 day", "1 day"]) {
    const user = await signUp();
    let followed: UIMessageChunk[] = [];
    let events: StreamEvent[] = [];
    await withHeldProvider([IN_TWO_HALVES], async (model, goOn) => {
      const reading = readEvents(await post(user, { id: "chat", message: "Hi", model }));
      await untilStored(user, "four");
      let id = "";
      await withDatabase(async (sql) => {
        const [changed] = await sql`
          update answers set created_at = created_at + ${step}::interval where user_id = ${user.id} returning id`;
        id = changed?.id;
        await sql`update answer_parts set written_at = written_at + ${step}::interval where user_id = ${user.id}`;
      });
      // By its own id, because whoever looks may find it abandoned, and then nothing of the chat runs.
      const following = await resume(user, id);
      goOn();
      followed = await readChunks(following);
      const { done, ...read } = await reading;
      assert.ok(done);
      events = read.events;
    });
    const { answers: [answer], charged } = await booksOf(user);
    const said = textIn(events.map(({ chunk }) => chunk));
    const kept = (answer?.content as { text?: string }[]).map(({ text = "" }) => text).join("");
    assert.ok(said.startsWith(kept) && kept !== "", step);
    assert.equal(textIn(followed), kept, step);
    assert.ok(["complete", "abandoned"].includes(String(answer?.state)), step);
    // Whoever followed it is told how it ended, and so is who asked.
    assert.equal(events.at(-1)?.chunk.type, answer?.state === "complete" ? "finish" : "error");
    assert.equal(charged, answer?.credits, step);
    await assertSettled(user);
    assert.equal((await ask(user, { id: "chat", message: "Again [words=2]" })).status, 200);
  }
});

test("of a long history, the newest part is read; a message that is too large is refused, and leaves nothing", async () => {
  const user = await signUp();
  const first = await ask(user, { id: "chat", message: "Hello [words=2]" });
  const conversation_id = first.body.answer.conversation_id;
  await withDatabase((sql) =>
    sql`insert into messages (conversation_id, role, content, created_at)
      select ${conversation_id}, case n % 2 when 0 then 'user' else 'assistant' end::message_role_enum,
        jsonb_build_array(jsonb_build_object('type', 'text', 'text', 'Number ' || n)),
        now() - interval '1 day' + n * interval '1 millisecond'
      from generate_series(1, 10000) as n`
  );
  const { status, body } = await ask(user, { id: "chat", message: "And now? [words=2]" });
  assert.equal(status, 200, JSON.stringify(body));
  // At most 1,000 messages of two words each are told.
  assert.ok(
    body.answer.input_tokens > 1_000 && body.answer.input_tokens < 4_000,
    body.answer.input_tokens,
  );
  const { count } = await serviceClient().from("messages").select("*", {
    count: "exact",
    head: true,
  })
    .eq("conversation_id", conversation_id);
  const huge = await ask(user, { id: "chat", message: "x".repeat(1024 * 1024) });
  assert.ok([413, 422].includes(huge.status), JSON.stringify(huge.body).slice(0, 300));
  const after = await serviceClient().from("messages").select("*", { count: "exact", head: true })
    .eq("conversation_id", conversation_id);
  assert.equal(after.count, count);
  await assertSettled(user);
});

test("many devices follow one answer, and all have its text", async () => {
  const user = await signUp();
  await withHeldProvider([IN_TWO_HALVES], async (model, goOn) => {
    const reading = readEvents(await post(user, { id: "chat", message: "Hi", model }));
    await untilStored(user, "four");
    const following = await Promise.all(
      Array.from({ length: FOLLOWERS }, () => resume(user, "chat")),
    );
    goOn();
    const texts = await Promise.all(
      following.map(async (response) => textIn(await readChunks(response))),
    );
    const { events } = await reading;
    assert.deepEqual([...new Set(texts)], [textIn(events.map(({ chunk }) => chunk))]);
  });
  await assertSettled(user);
});

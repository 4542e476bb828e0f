import assert from "node:assert/strict";

import { signUp, test, until, withDatabase, withSettings } from "../_testing/testing.ts";
import {
  ask,
  booksOf,
  post,
  readChunks,
  readEvents,
  resume,
  stop,
  stopToEnd,
  textIn,
  withModel,
} from "./answers_testing.ts";
import { IN_TWO_HALVES, withHeldProvider } from "./held_provider_testing.ts";

test("POST /answers with application/json returns the whole answer, and starts a conversation", async () => {
  const user = await signUp();
  const { status, body } = await ask(user, { message: "Say [words=3]", model: "played" });
  assert.equal(status, 200);
  assert.equal(body.answer.state, "complete");
  assert.deepEqual(body.message.content, [
    { type: "step-start" },
    { type: "text", text: "This answer comes", state: "done" },
  ]);
  assert.equal(body.answer.usage_source, "provider");
  assert.deepEqual([body.answer.output_tokens, body.entry.amount], [3, -body.answer.credits]);
  // (1 of 2 input tokens cached) 1 * 1000 + 1 * 100 + 3 * 4000 per million.
  assert.equal(body.answer.credits, 0.0131);
  const { data } = await user.client.from("conversations").select("id, title");
  assert.deepEqual(data, [{ id: body.answer.conversation_id, title: "Say [words=3]" }]);

  const next = await ask(user, { message: "And [words=2]", conversation_id: data![0]!.id });
  assert.equal(next.body.answer.conversation_id, data![0]!.id);
  // The model was told what was said before.
  assert.ok(next.body.answer.input_tokens > body.answer.input_tokens);
  const { data: models } = await user.client.from("models").select("name").order("rank");
  assert.equal(models?.[0]?.name, "played");
});

test("POST /answers works in a project with its system prompt, and the team pays", async () => {
  const [boss, member, stranger] = await Promise.all([signUp(), signUp(), signUp()]);
  const team_id = crypto.randomUUID();
  await withDatabase(async (sql) => {
    await sql`insert into teams (id, name) values (${team_id}, 'T')`;
    await sql`insert into team_members (team_id, user_id, role) values
      (${team_id}, ${boss.id}, 'owner'), (${team_id}, ${member.id}, 'member')`;
    await sql`select grant_credits(team_id => ${team_id}, amount => 50)`;
  });
  const { data: project } = await boss.client.from("projects")
    .insert({ user_id: boss.id, team_id, title: "P", system_prompt: "one two three four five six" })
    .select().single();
  const { status, body } = await ask(member, { message: "Hi [words=2]", project_id: project!.id });
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual([body.message.sequence_number, body.message.author_id], [1, member.id]);
  assert.equal(body.answer.input_tokens, 8);
  const { data: team } = await boss.client.from("team_credits").select("balance").eq(
    "team_id",
    team_id,
  ).single();
  assert.equal(team?.balance, 50 - body.answer.credits);
  const refused = await ask(stranger, { message: "Hi", project_id: project!.id });
  assert.deepEqual([refused.status, refused.body.code], [404, "project_not_found"]);
  await withDatabase((sql) => sql`delete from teams where id = ${team_id}`);
});

test("a chunk of every kind is one of the AI SDK's", async () => {
  const user = await signUp();
  const parameters = { tools: [{ name: "weather" }] };
  const response = await post(user, { message: "[reason] [tool] [words=2]", parameters });
  const chunks = await readChunks(response);
  assert.deepEqual([...new Set(chunks.map(({ type }) => type))], [
    "start",
    "start-step",
    "reasoning-start",
    "reasoning-delta",
    "reasoning-end",
    "text-start",
    "text-delta",
    "text-end",
    "tool-input-start",
    "tool-input-delta",
    "tool-input-available",
    "finish-step",
    "message-metadata",
    "finish",
  ]);
  const { answers: [answer] } = await booksOf(user);
  assert.deepEqual([answer?.reasoning_tokens, answer?.finish_reason], ["3", "tool-calls"]);
  const failed = await readChunks(await post(user, { message: "[fail] [words=9]" }));
  assert.deepEqual(failed.slice(-2).map(({ type }) => type), ["message-metadata", "error"]);
});

test("ten devices follow an answer from anywhere in it, and all have the same text", async () => {
  const user = await signUp();
  const response = await post(user, { message: "[reason] [words=80] [pace=20]" });
  let devices: Promise<string>[] = [];
  const seen: { id: string; delta: string }[] = [];
  const first = await readEvents(response, ({ id, chunk }) => {
    if (chunk.type === "text-delta") seen.push({ id, delta: chunk.delta });
    const answerId = id.split("/")[0]!;
    if (seen.length === 20 && devices.length === 0) {
      devices = Array.from({ length: 10 }, async (_, n) => {
        // Half of them come anew, the others go on after some word that they had.
        const had = n % 2 === 0 ? 0 : n * 2;
        const stream = await resume(user, answerId, had ? seen[had - 1]!.id : undefined);
        const { events, done } = await readEvents(stream);
        assert.ok(done);
        return seen.slice(0, had).map(({ delta }) => delta).join("") +
          textIn(events.map(({ chunk }) => chunk));
      });
    }
    return false;
  });
  assert.ok(first.done);
  const text = textIn(first.events.map(({ chunk }) => chunk));
  const texts = await Promise.all(devices);
  assert.equal(texts.length, 10);
  for (const other of texts) assert.equal(other, text);
  const { answers: [answer] } = await booksOf(user);
  const saved = (answer!.content as { type: string; text: string }[]).at(-1)!.text;
  assert.equal(saved, text);

  // After the end, too: from the beginning, and from any event.
  const id = first.events[0]!.id.split("/")[0]!;
  for (
    const at of [
      undefined,
      ...first.events.filter((_, n) => n % 17 === 0).map(({ id }) => id),
    ]
  ) {
    const { events, done } = await readEvents(await resume(user, id, at));
    assert.ok(done);
    const had = first.events.slice(0, first.events.findIndex(({ id }) => id === at) + 1);
    assert.equal(textIn([...had, ...events].map(({ chunk }) => chunk)), text);
    assert.equal(events.at(-1)?.chunk.type, "finish");
  }
  assert.equal((await resume(user, String(answer?.conversation_id))).status, 204);
  const stranger = await signUp();
  assert.equal((await resume(stranger, id)).status, 204);
  assert.equal((await stop(stranger, id)).status, 404);
});

test("an answer goes on when its client has gone", async () => {
  const user = await signUp();
  const gone = new AbortController();
  const response = await post(user, { message: "[words=50]" }, { signal: gone.signal });
  await readEvents(response, ({ chunk }) => chunk.type === "text-delta");
  gone.abort();
  await until(async () => (await booksOf(user)).answers[0]?.state === "complete");
  const { answers: [answer], charged } = await booksOf(user);
  assert.equal((answer!.content as { text: string }[])[1]!.text.split(" ").length, 50);
  assert.equal(answer!.credits, charged);
});

test("a request that is repeated, by its key or its message, returns its answer and costs nothing more", async () => {
  const user = await signUp();
  const body = {
    id: "chat-1",
    messages: [{ id: "msg-1", role: "user", parts: [{ type: "text", text: "[words=30]" }] }],
  };
  const [one, two] = await Promise.all([post(user, body), post(user, body)]);
  const texts = await Promise.all(
    [one, two].map(async (response) => textIn(await readChunks(response))),
  );
  assert.equal(texts[0], texts[1]);
  const again = await ask(user, body);
  assert.equal(again.headers.get("idempotent-replayed"), "true");
  const keyed = { message: "Hello [words=2]" };
  const headers = { "idempotency-key": crypto.randomUUID() };
  const first = await ask(user, keyed, headers);
  const second = await ask(user, keyed, headers);
  assert.deepEqual([second.status, second.body], [200, first.body]);
  const other = await ask(user, { message: "Other" }, headers);
  assert.equal(other.body.code, "idempotency_key_reused");
  const warmer = await ask(user, { ...keyed, parameters: { temperature: 1.5 } }, headers);
  assert.equal(
    warmer.body.code,
    "idempotency_key_reused",
    "the model would be told something else",
  );
  const { answers, charged } = await booksOf(user);
  assert.equal(answers.length, 2);
  const credits = Number(answers[0]!.credits) + Number(answers[1]!.credits);
  assert.equal(charged.toFixed(4), credits.toFixed(4));
});

test("limits are exact however many requests come at the same time", async () => {
  const user = await signUp();
  await withSettings({ "answers.at_once": 3, "answers.per_minute": 6 }, async () => {
    await withHeldProvider([IN_TWO_HALVES], async (model, goOn) => {
      const begin = () => post(user, { message: "Hi", model });
      const responses = await Promise.all(Array.from({ length: 12 }, begin));
      goOn();
      const refused = responses.filter(({ status }) => status === 429);
      assert.equal(refused.length, 9);
      const problem = await refused[0]!.json();
      assert.deepEqual([problem.code, problem.limit, problem.most], [
        "too_many_answers",
        "at_once",
        3,
      ]);
      assert.ok(Number(refused[0]!.headers.get("retry-after")) >= 1);
      await Promise.all(responses.filter(({ status }) => status === 200).map(readChunks));
    });
    for (let n = 0; n < 3; n++) {
      assert.equal((await ask(user, { message: "[words=1]" })).status, 200);
    }
    const seventh = await ask(user, { message: "[words=1]" });
    assert.deepEqual([seventh.status, seventh.body.limit], [429, "per_minute"]);
    const wait = Number(seventh.headers.get("retry-after"));
    assert.ok(wait >= 1 && wait <= 60, String(wait));
  });
  await withModel({ requests_per_minute: 1 }, async (model) => {
    assert.equal((await ask(user, { message: "[words=1]", model })).status, 200);
    const { body } = await ask(user, { message: "[words=1]", model });
    assert.equal(body.limit, "model");
    assert.equal((await ask(user, { message: "[words=1]" })).status, 200);
  });
});

test("a conversation has one answer at a time, and a stop makes room for the next", async () => {
  const user = await signUp();
  await withHeldProvider([IN_TWO_HALVES], async (model) => {
    const response = await post(user, { id: "c", message: "Hi", model });
    const { events } = await readEvents(response, ({ chunk }) => chunk.type === "text-delta");
    const second = await ask(user, { id: "c", message: "Me too" });
    assert.deepEqual([second.status, second.body.code], [409, "answer_running"]);
    assert.equal(second.body.answer_id, events[0]!.id.split("/")[0]);
    assert.equal((await stopToEnd(user, "c")).answer.state, "stopped");
  });
  assert.equal((await ask(user, { id: "c", message: "Me too [words=1]" })).status, 200);
  assert.equal((await stop(user, "none")).status, 404);
});

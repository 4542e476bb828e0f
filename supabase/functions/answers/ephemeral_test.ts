import assert from "node:assert/strict";

import { signUp, stack, test, until, withSettings } from "../_testing/testing.ts";
import {
  ask,
  booksOf,
  Chat,
  headersOf,
  post,
  readChunks,
  readEvents,
  resume,
  textIn,
  textOf,
} from "./answers_testing.ts";
import { IN_TWO_HALVES, withHeldProvider } from "./held_provider_testing.ts";
import { FINISH, say, stream, toStream, withOddProvider } from "./odd_provider_testing.ts";
import { findTraces } from "./traces_testing.ts";

const PATH = "/ephemeral";

/** A word that nobody else writes. */
const newSecret = () => `secret${crypto.randomUUID().replaceAll("-", "")}`;

test("an ephemeral answer streams like any other, is charged by tokens, and leaves nothing else", async () => {
  const user = await signUp();
  const secret = newSecret();
  const parts = [{ type: "text", text: `${secret} [words=30]` }];
  const messages = [{ role: "system", parts: [{ type: "text", text: `Be brief ${secret}` }] }, {
    id: "m",
    role: "user",
    parts,
  }];
  const chunks = await readChunks(await post(user, { messages }, { path: PATH }));
  assert.equal(textIn(chunks).split(" ").length, 30);
  const whole = await ask(user, { messages }, {}, PATH);
  assert.equal(whole.body.text, textIn(chunks));
  assert.equal(whole.body.message, null);
  assert.deepEqual((await user.client.from("messages").select("id")).data, []);

  // A provider that fails says so in the log, and nothing of what it was asked.
  const failed = await ask(
    user,
    { messages: [{ role: "user", parts: [{ type: "text", text: `${secret} [refuse]` }] }] },
    {},
    PATH,
  );
  assert.deepEqual([failed.status, failed.body.code], [422, "provider_refused"]);
  const malformed = await ask(user, { messages, parameters: { [secret]: 1 } }, {}, PATH);
  assert.equal(malformed.status, 422);
  assert.deepEqual(await findTraces(stack, secret), []);

  const { answers, charged, open, problems } = await booksOf(user);
  assert.deepEqual(
    answers.map((
      { state, output_tokens, message_id, conversation_id },
    ) => [state, output_tokens, message_id, conversation_id]),
    [
      ["complete", "30", null, null],
      ["complete", "30", null, null],
      ["failed", "0", null, null],
    ],
  );
  assert.equal(charged, Number(answers[0]!.credits) * 2);
  assert.deepEqual([open, problems], [0, 0]);

  // The same search finds what is stored.
  await ask(user, { message: secret });
  const traces = await findTraces(stack, secret);
  assert.ok(traces.includes("public.messages"));
  assert.ok(traces.some((path) => /pg_wal/.test(path)), traces.join());
});

test("an ephemeral answer ends when its client goes, and cannot be followed", async () => {
  const user = await signUp();
  const gone = new AbortController();
  const messages = [{ role: "user", parts: [{ type: "text", text: "Hi" }] }];
  await withHeldProvider([IN_TWO_HALVES], async (model) => {
    const response = await post(user, { messages, model }, { path: PATH, signal: gone.signal });
    let seen = "";
    const reading = readEvents(response, ({ chunk }) => {
      seen += textIn([chunk]);
      return false;
    });
    await until(() => seen.includes("four"));
    const { answers: [running] } = await booksOf(user);
    assert.equal((await resume(user, String(running!.id))).status, 204);
    assert.equal((await booksOf(user)).answers[0]?.state, "running");
    gone.abort();
    await assert.rejects(reading);
    await until(async () => (await booksOf(user)).answers[0]?.state === "stopped");
  });
  const { answers: [answer], charged } = await booksOf(user);
  assert.equal(answer!.usage_source, "counted");
  assert.ok(charged > 0 && charged === answer!.credits);
});

test("useChat works with ephemeral answers", async () => {
  const user = await signUp();
  const chat = new Chat(user, {}, PATH);
  await chat.sendMessage({ text: "Hello [words=3]" });
  await chat.sendMessage({ text: "Again [words=4]" });
  assert.equal(chat.status, "ready", String(chat.error));
  assert.equal(textOf(chat.messages[3]), "This answer comes from");
});

test("an ephemeral answer that fails leaves nothing either, whatever the provider and the errors repeat", async () => {
  const user = await signUp();
  const secret = newSecret();
  const messages = [{ role: "user", parts: [{ type: "text", text: secret }] }];
  const echo = JSON.stringify({ error: { message: `Cannot answer "${secret}"` } });
  const chunk = say(`${secret} `);
  const providers: Parameters<typeof withOddProvider>[0][] = [
    (response) => response.writeHead(400, `Bad ${secret}`, { "x-echo": secret }).end(echo),
    (response) => response.writeHead(500).end(echo),
    (response) => response.writeHead(302, { location: `http://127.0.0.1:1/${secret}` }).end(),
    (response) => stream(response, [`data: ${echo}\n\n`]),
    (response) => stream(response, [`data: {"${secret}\n\n`]),
    (response) => stream(response, [toStream([chunk]), `data: ${echo}\n\n`]),
    (response) => stream(response, [toStream([{ choices: [{ delta: { content: { secret } } }] }])]),
    (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(toStream([chunk]), () => response.destroy());
    },
    (response) => stream(response, [toStream([chunk, FINISH, { choices: [], usage: secret }])]),
  ];
  const askEach = () =>
    Promise.all(providers.map((provider) =>
      withOddProvider(provider, async (model, attempts) => {
        const { body } = await ask(user, { messages, model }, {}, PATH);
        assert.ok(attempts() > 0, JSON.stringify(body));
      })
    ));
  await withSettings({ "answers.at_once": providers.length }, askEach);
  const bodies: unknown[] = [
    { messages: secret },
    { messages: [{ role: secret }] },
    { messages: [{ role: "user", content: { [secret]: secret } }], model: "played" },
    { messages, [secret]: 1 },
    { messages, parameters: { stop: secret } },
    { messages, parameters: { tools: [{ name: `${secret} ` }] } },
    { messages: [{ role: "user", content: secret.repeat(20_000) }], model: "played" },
  ];
  for (const body of bodies) {
    const { status } = await ask(user, body, { "idempotency-key": crypto.randomUUID() }, PATH);
    assert.ok(status < 500, String(status));
  }
  const cut = await fetch(`${stack.url}/functions/v1/answers${PATH}`, {
    method: "POST",
    headers: { ...headersOf(user), "content-type": "application/json" },
    body: `{"messages":["${secret}`,
  });
  assert.equal(cut.status, 400);
  await cut.body?.cancel();
  assert.deepEqual(await findTraces(stack, secret), []);
  const { open, held, problems } = await booksOf(user);
  assert.deepEqual([open, held, problems], [0, 0, 0]);
});

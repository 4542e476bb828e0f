import assert from "node:assert/strict";

import { generateId } from "ai";

import { signUp, test } from "../_testing/testing.ts";
import {
  ask,
  booksOf,
  Chat,
  plain,
  post,
  readChunks,
  readEvents,
  resume,
  stop,
  textIn,
  textOf,
} from "./answers_testing.ts";
import {
  calling,
  IN_TWO_HALVES,
  reloadInTheMiddle,
  withHeldProvider,
} from "./held_provider_testing.ts";
import { FINISH, say, usage, withProvider } from "./provider_testing.ts";

const search = { server_tools: ["search_messages"] };

/** Asks for a call of the search. */
const call = (query: string) => `[call search_messages {"query":"${query}"}]`;

/** The type and state of the parts of a message. */
const outline = (parts: unknown) =>
  (parts as { type: string; state?: string }[]).map(({ type, state }) =>
    type === "text" || type === "step-start" ? type : `${type} ${state}`
  );

test("the server runs a tool, and the answer goes on in the same stream with what it returned", async () => {
  const user = await signUp();
  await ask(user, { message: "Lake Velence is my favourite [words=2]" });
  const stranger = await signUp();
  await ask(stranger, { message: "Lake Velence is mine [words=2]" });

  const response = await post(user, { id: "chat", message: call("Velence"), parameters: search });
  const chunks = await readChunks(response);
  const types = chunks.map(({ type }) => type);
  assert.deepEqual(
    types.slice(types.indexOf("tool-input-available")).filter((type) => type !== "text-delta"),
    [
      "tool-input-available",
      "tool-output-available",
      "finish-step",
      "start-step",
      "text-start",
      "text-end",
      "finish-step",
      "message-metadata",
      "finish",
    ],
  );
  const output = chunks.find((chunk) => chunk.type === "tool-output-available");
  const { messages } = output!.output as { messages: { text: string }[] };
  assert.ok(
    messages.some(({ text }) => text.includes("Velence is my favourite")),
    JSON.stringify(messages),
  );
  assert.ok(!JSON.stringify(messages).includes("is mine"), "with the rights of the user");
  assert.match(textIn(chunks), /The tool returned \{"messages":\[/);
  const available = chunks.find((chunk) => chunk.type === "tool-input-available");
  assert.equal(available!.providerExecuted, true);

  const { answers, charged, held, open, problems } = await booksOf(user);
  const answer = answers[1]!;
  assert.deepEqual(outline(answer.content), [
    "step-start",
    "text",
    "tool-search_messages output-available",
    "step-start",
    "text",
  ]);
  assert.deepEqual([answer.state, answer.finish_reason, answer.usage_source], [
    "complete",
    "stop",
    "provider",
  ]);
  assert.equal(answer.charged, answer.credits);
  assert.deepEqual([held, open, problems], [0, 0, 0]);
  assert.ok(charged > 0);
  // Both steps count: 40 words of the first, and those of the second.
  const said = textIn(chunks).split(" ").length;
  assert.ok(Math.abs(Number(answer.output_tokens) - said) <= 1, `${answer.output_tokens} ${said}`);
  assert.equal(answer.attempts, 2);
});

test("useChat shows the steps of the server's tools as they are stored, and resumes between them", async () => {
  const user = await signUp();
  const id = generateId();
  let asked = 0;
  const chat = new Chat(user, { id, onToolCall: () => void asked++ });
  const calls = calling(
    ["search_messages", '{"query":"tower"}'],
    ["search_messages", '{"query":"bridge"}'],
  );
  await withHeldProvider([calls, IN_TWO_HALVES], async (model, goOn) => {
    const sending = chat.sendMessage({ text: "Hi" }, { body: { model, parameters: search } });
    await reloadInTheMiddle(user, chat, sending, goOn);
    assert.equal(asked, 0, "the client is not asked to run what the server runs");
  });
  const { answers: [answer] } = await booksOf(user);
  assert.deepEqual(answer!.content, plain(chat.lastMessage?.parts));

  // From every event, a client gets what it lacks: also between the calls and what they returned.
  const { events: all } = await readEvents(await resume(user, String(answer!.id)));
  for (const [index, { id, chunk }] of all.entries()) {
    if (chunk.type === "text-delta" || chunk.type === "tool-input-delta") continue;
    const { events } = await readEvents(await resume(user, String(answer!.id), id));
    assert.deepEqual(
      events.map(({ chunk }) => chunk),
      all.slice(index + 1).map(({ chunk }) => chunk),
    );
  }
});

test("an answer has a bounded number of steps, and the last one cannot call", async () => {
  const user = await signUp();
  const { status, body } = await ask(user, {
    message: `[loop] [words=1] ${call("x")}`,
    parameters: { ...search, tool_choice: "required" },
  });
  assert.equal(status, 200, JSON.stringify(body));
  const steps = outline(body.message.content).filter((part) => part === "step-start").length;
  assert.equal(steps, 5);
  assert.deepEqual([body.answer.state, body.answer.attempts], ["complete", 5]);
  assert.equal(outline(body.message.content).at(-1), "text");
});

test("the hold covers the prompt of all steps, and the answer ends at what is held", async () => {
  const user = await signUp();
  const dear = { input_price: 100_000, output_price: 100, cached_input_price: 100_000 };
  const message = "Hello ".repeat(20);
  let asked = 0;
  const calls = {
    choices: [{
      delta: {
        tool_calls: [{
          index: 0,
          id: "c",
          function: { name: "search_messages", arguments: '{"query":"x"}' },
        }],
      },
    }],
  };
  const script =
    () => [calls, FINISH, usage({ prompt_tokens: ++asked * 200, completion_tokens: 1 }), "[DONE]"];
  await withProvider(script, async (model) => {
    const plainly = await ask(user, { message, model, parameters: { tools: [{ name: "t" }] } });
    asked = 0;
    const { body } = await ask(user, { message, model, parameters: search });
    assert.ok(
      body.answer.held > 4 * plainly.body.answer.held,
      `${body.answer.held} ${plainly.body.answer.held}`,
    );
    // The provider reports more than was expected. The third step would cost more than what is left.
    assert.deepEqual([body.answer.state, body.answer.finish_reason], ["complete", "length"]);
    assert.ok(asked >= 2 && asked < 5, String(asked));
    assert.ok(
      body.answer.credits <= body.answer.held,
      `${body.answer.credits} ${body.answer.held}`,
    );
    assert.equal(
      body.answer.input_tokens,
      200 * (asked * (asked + 1)) / 2,
      "all steps are charged",
    );
  }, dear);
});

test("tools of the client and of the server in one step: the server runs its own, and waits for the client", async () => {
  const user = await signUp();
  const id = generateId();
  const parameters = { ...search, tools: [{ name: "clock" }] };
  const chat: Chat = new Chat(user, { id });
  await chat.sendMessage({ text: `${call("x")} [call clock {}] [words=1]` }, {
    body: { parameters },
  });
  assert.equal(chat.status, "ready", String(chat.error));
  assert.deepEqual(outline(chat.lastMessage?.parts), [
    "step-start",
    "text",
    "tool-search_messages output-available",
    "tool-clock input-available",
  ]);
  const clock = chat.lastMessage?.parts.at(-1) as { toolCallId: string };
  await chat.addToolOutput({ tool: "clock", toolCallId: clock.toolCallId, output: "noon" });
  await chat.sendMessage(undefined, { body: { parameters } });
  assert.equal(chat.status, "ready", String(chat.error));
  assert.match(
    textOf(chat.lastMessage),
    /The tool returned \{"messages".*The tool returned noon\./,
  );
  const { answers } = await booksOf(user);
  assert.deepEqual(answers.map(({ finish_reason }) => finish_reason), ["tool-calls", "stop"]);
  assert.deepEqual(answers[1]!.content, plain(chat.lastMessage?.parts));
});

test("a call that cannot be run is told to the model, and is no error of the answer", async () => {
  const user = await signUp();
  const cases: [text: string, told: RegExp][] = [
    ['[call search_messages {"query":""}]', /The input is invalid\. query: /],
    ['[call search_messages {"words":"x"}]', /The input is invalid/],
    ["[call search_messages {oops}]", /The input is not JSON/],
    ["[call delete_everything {}]", /There is no tool "delete_everything"/],
    ["[call search_messages 1e999]", /The input is not JSON that the server can hold/],
  ];
  for (const [message, told] of cases) {
    const { status, body } = await ask(user, { message, parameters: search });
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual([body.answer.state, body.answer.finish_reason], ["complete", "stop"], message);
    assert.match(body.message.content.at(-1).text, told);
    assert.equal(body.message.content[2].state, "output-error", message);
  }
  const refused = await ask(user, { message: "Hi", parameters: { server_tools: ["none"] } });
  assert.deepEqual([refused.status, refused.body.code], [422, "unknown_tool"]);
  const twice = { ...search, tools: [{ name: "search_messages" }] };
  const clash = await ask(user, { message: "Hi", parameters: twice });
  assert.deepEqual([clash.status, clash.body.code], [422, "invalid_request"]);
  const ephemeral = { messages: [{ role: "user", content: "Hi" }], parameters: search };
  const secret = await ask(user, ephemeral, {}, "/ephemeral");
  assert.deepEqual([secret.status, secret.body.code], [422, "invalid_request"]);
  const { open, drafts, problems } = await booksOf(user);
  assert.deepEqual([open, drafts, problems], [0, 0, 0]);
});

test("a stop in the second step keeps both, and charges for both", async () => {
  const user = await signUp();
  const calls = calling(["search_messages", '{"query":"x"}']);
  await withHeldProvider([calls, IN_TWO_HALVES], async (model) => {
    const body = { id: "chat", message: "Hi", model, parameters: search };
    let stopping: Promise<Response> | undefined;
    await readEvents(await post(user, body), ({ chunk }) => {
      if (chunk.type === "text-delta") stopping ??= stop(user, "chat");
      return false;
    });
    await (await stopping!).body?.cancel();
  });
  const { answers: [answer], charged } = await booksOf(user);
  assert.deepEqual([answer?.state, answer?.usage_source], ["stopped", "counted"]);
  assert.deepEqual(outline(answer?.content), [
    "step-start",
    "tool-search_messages output-available",
    "step-start",
    "text",
  ]);
  assert.equal(charged, answer?.credits);
  assert.ok(charged > 0);
});

test("an answer that fails in its second step is charged for the first", async () => {
  const user = await signUp();
  let asked = 0;
  const calls = {
    choices: [{
      delta: {
        tool_calls: [{
          index: 0,
          id: "c",
          function: { name: "search_messages", arguments: '{"query":"x"}' },
        }],
      },
    }],
  };
  const script = () =>
    ++asked === 1
      ? [say("One"), calls, FINISH, usage({ prompt_tokens: 50, completion_tokens: 10 }), "[DONE]"]
      : new Response("Sorry", { status: 400 });
  await withProvider(script, async (model) => {
    const { status, body } = await ask(user, { message: "Hi", model, parameters: search });
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual([body.answer.state, body.answer.error], ["failed", "provider_refused"]);
    assert.deepEqual(outline(body.message.content), [
      "step-start",
      "text",
      "tool-search_messages output-available",
      "step-start",
    ]);
    assert.ok(body.answer.credits > 0);
    assert.equal(body.entry.amount, -body.answer.credits);
  });
});

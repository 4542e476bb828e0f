import assert from "node:assert/strict";

import { generateId, lastAssistantMessageIsCompleteWithToolCalls } from "ai";

import { serviceClient, signUp, test, until } from "../_testing/testing.ts";
import { booksOf, Chat, plain, stopToEnd, textOf, withModel } from "./answers_testing.ts";
import {
  calling,
  IN_TWO_HALVES,
  reloadInTheMiddle,
  withHeldProvider,
} from "./held_provider_testing.ts";

test("useChat streams an answer, and the conversation has what it shows", async () => {
  const user = await signUp();
  const id = generateId();
  const chat = new Chat(user, { id });
  await chat.sendMessage({ text: "Hello" });
  assert.equal(chat.status, "ready", String(chat.error));
  const [question, answer] = chat.messages;
  assert.equal(chat.messages.length, 2);
  assert.match(textOf(answer), /^This answer comes from the played model\. .*東京 and 👩‍🚀/);

  const { data } = await user.client.from("messages")
    .select("id, client_id, role, content, status, metadata, conversations!inner(client_id)")
    .eq("conversations.client_id", id).order("created_at");
  assert.deepEqual(
    data?.map((
      { id, client_id, role, content, status },
    ) => [client_id ?? id, role, content, status]),
    [
      [question?.id, "user", plain(question?.parts), "complete"],
      [answer?.id, "assistant", plain(answer?.parts), "complete"],
    ],
  );
  const metadata = answer?.metadata as { answer: { credits: number; usage: { source: string } } };
  assert.deepEqual(data?.[1]?.metadata, metadata);
  const books = await booksOf(user);
  assert.equal(metadata.answer.usage.source, "provider");
  assert.ok(metadata.answer.credits > 0);
  assert.deepEqual(
    [books.charged, books.held, books.open, books.parts, books.drafts, books.problems],
    [metadata.answer.credits, 0, 0, 0, 0, 0],
  );
});

test("useChat goes on with a conversation, regenerates an answer and edits a message", async () => {
  const user = await signUp();
  const id = generateId();
  const chat = new Chat(user, { id });
  await chat.sendMessage({ text: "One [words=3]" });
  await chat.sendMessage({ text: "Two [words=4]" });
  assert.equal(chat.messages.length, 4);
  const [first, , second, old] = chat.messages;

  await chat.regenerate();
  assert.equal(chat.status, "ready", String(chat.error));
  assert.equal(chat.messages.length, 4);
  assert.notEqual(chat.messages[3]?.id, old?.id);
  assert.deepEqual(chat.messages.map(({ id }) => id), await ids(id));

  await chat.sendMessage({ text: "One again [words=5]", messageId: first!.id });
  assert.equal(chat.status, "ready", String(chat.error));
  assert.equal(textOf(chat.messages[1]).split(" ").length, 5);
  assert.deepEqual(chat.messages.map(({ id }) => id), await ids(id));

  // What was replaced is kept, with the message before it.
  const { data } = await user.client.from("replaced_messages").select("*").order("replaced_at")
    .order("created_at");
  assert.deepEqual(data?.map(({ role }) => role), [
    "assistant",
    "user",
    "assistant",
    "user",
    "assistant",
  ]);
  assert.equal(data?.[0]?.message_id, old?.id);
  assert.equal(data?.[3]?.client_id, second?.id);
  assert.equal(data?.[1]?.parent_id, null);
  assert.equal(data?.[2]?.parent_id, data?.[1]?.message_id);
  const { answers, charged } = await booksOf(user);
  assert.equal(answers.length, 4);
  assert.equal(
    charged.toFixed(4),
    answers.reduce((sum, { credits }) => sum + Number(credits), 0).toFixed(4),
  );

  async function ids(chat: string): Promise<string[]> {
    const { data } = await user.client.from("messages").select(
      "id, client_id, conversations!inner()",
    )
      .eq("conversations.client_id", chat).order("created_at");
    return data!.map(({ id, client_id }) => client_id ?? id);
  }
});

test("useChat resumes an answer in the middle", async () => {
  const user = await signUp();
  const id = generateId();
  const chat = new Chat(user, { id });
  await withHeldProvider([IN_TWO_HALVES], async (model, goOn) => {
    const sending = chat.sendMessage({ text: "Tell me" }, { body: { model } });
    // The app has the messages of the conversation, and the draft.
    const reloaded = await reloadInTheMiddle(user, chat, sending, goOn);
    await reloaded.resumeStream();
    assert.deepEqual(plain(reloaded.messages), plain(chat.messages));
  });
});

test("useChat stops an answer, keeps its text, and pays for that", async () => {
  const user = await signUp();
  const id = generateId();
  const chat = new Chat(user, { id });
  const sending = chat.sendMessage({ text: "Tell me much [words=2000] [pace=50]" });
  await until(() => textOf(chat.lastMessage).length > 100);
  const { answer, message, entry } = await stopToEnd(user, id);
  await sending;
  assert.equal(answer.state, "stopped");
  assert.equal(message.status, "aborted");
  assert.deepEqual(message.content, plain(chat.lastMessage?.parts));
  assert.equal(entry.amount, -answer.credits);
  assert.match(entry.description, /counted by the server/);
  const books = await booksOf(user);
  assert.deepEqual([books.open, books.held, books.parts, books.drafts], [0, 0, 0, 0]);
  await chat.sendMessage({ text: "Go on [words=2]" });
  assert.equal(chat.status, "ready", String(chat.error));
});

test("useChat runs a tool, and the answer goes on in the same message", async () => {
  const user = await signUp();
  const id = generateId();
  const tools = [{ name: "weather", parameters: { type: "object", properties: {} } }];
  const chat: Chat = new Chat(user, {
    id,
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
    onToolCall: ({ toolCall }) => {
      assert.deepEqual(toolCall.input, { city: "東京", days: 2 });
      chat.addToolOutput({
        tool: "weather",
        toolCallId: toolCall.toolCallId,
        output: { sky: "blue" },
        options: { body: { parameters: { tools } } },
      });
    },
  });
  await chat.sendMessage({ text: "How is it? [tool] [words=2]" }, {
    body: { parameters: { tools } },
  });
  await until(() => chat.status === "ready" && textOf(chat.lastMessage).includes("returned"));
  assert.equal(chat.messages.length, 2);
  assert.match(textOf(chat.lastMessage), /The tool returned \{"sky":"blue"\}\./);

  const { answers } = await booksOf(user);
  assert.deepEqual(answers.map(({ state, finish_reason }) => [state, finish_reason]), [
    ["complete", "tool-calls"],
    ["complete", "stop"],
  ]);
  assert.equal(answers[0]?.message_id, answers[1]?.message_id);
  assert.deepEqual(answers[1]?.content, plain(chat.lastMessage?.parts));
  assert.ok(answers.every(({ charged, credits }) => charged === credits && Number(credits) > 0));
});

test("useChat resumes an answer that goes on after a tool call, with the parts before it", async () => {
  const user = await signUp();
  const id = generateId();
  const parameters = { tools: [{ name: "weather" }] };
  const chat = new Chat(user, { id });
  await withHeldProvider([calling(["weather", "{}"]), IN_TWO_HALVES], async (model, goOn) => {
    await chat.sendMessage({ text: "How is it?" }, { body: { model, parameters } });
    const call = chat.lastMessage?.parts.at(-1) as { toolCallId: string };
    await chat.addToolOutput({ tool: "weather", toolCallId: call.toolCallId, output: "blue" });
    const going = chat.sendMessage(undefined, { body: { model, parameters } });
    await reloadInTheMiddle(user, chat, going, goOn);
  });
});

test("useChat reports that credits have run out, and goes on when there are some", async () => {
  const user = await signUp();
  // 2,000 tokens of output cost more than the 100 credits of a new account.
  await withModel({ output_price: 60_000 }, async (model) => {
    const chat = new Chat(user, { id: generateId() });
    await chat.sendMessage({ text: "Hello" }, { body: { model } });
    assert.equal(chat.status, "error");
    const problem = JSON.parse(chat.error?.message ?? "");
    assert.deepEqual([problem.status, problem.code, problem.available], [
      402,
      "insufficient_credits",
      100,
    ]);
    const before = await booksOf(user);
    assert.deepEqual([before.answers, before.held, before.charged], [[], 0, 0]);
    assert.deepEqual((await user.client.from("messages").select("id")).data, []);
    await serviceClient().rpc("grant_credits", { user_id: user.id, amount: 100 });
    await chat.regenerate({ body: { model } });
    assert.equal(chat.status, "ready", String(chat.error));
    assert.equal(chat.messages.length, 2);
    assert.equal((await user.client.from("messages").select("id")).data?.length, 2);
  });
});

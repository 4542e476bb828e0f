import assert from "node:assert/strict";

import {
  generateId,
  isToolUIPart,
  lastAssistantMessageIsCompleteWithApprovalResponses,
  type UIMessage,
} from "ai";

import { signUp, test, type TestUser, until } from "../_testing/testing.ts";
import { ask, booksOf, Chat, plain, post, readChunks, resume, textOf } from "./answers_testing.ts";
import {
  calling,
  type Held,
  IN_TWO_HALVES,
  reloadInTheMiddle,
  withHeldProvider,
} from "./held_provider_testing.ts";

const parameters = { server_tools: ["rename_conversation", "search_messages"] };
const rename = (title: string) => `[call rename_conversation {"title":"${title}"}]`;

/** A chat whose model wants to rename the conversation. */
async function askToRename(user: TestUser, text: string, model = "played"): Promise<Chat> {
  const chat = new Chat(user, {
    id: generateId(),
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
  });
  await chat.sendMessage({ text }, { body: { model, parameters } });
  assert.equal(chat.status, "ready", String(chat.error));
  return chat;
}

/** The calls of the last message. */
const callsOf = (chat: Chat) => chat.lastMessage!.parts.filter(isToolUIPart);

async function respond(
  chat: Chat,
  approved: boolean,
  { reason, model = "played", last = "returned" }: {
    reason?: string;
    model?: string;
    /** A word that the answer ends with. */
    last?: string;
  } = {},
): Promise<void> {
  for (const { approval, state } of callsOf(chat)) {
    if (state !== "approval-requested") continue;
    await chat.addToolApprovalResponse({
      id: approval!.id,
      approved,
      ...reason !== undefined && { reason },
      options: { body: { model, parameters } },
    });
  }
  await until(() => chat.status === "ready" && textOf(chat.lastMessage).includes(last));
}

async function titleOf(user: TestUser, chat: Chat): Promise<string | undefined> {
  const { data } = await user.client.from("conversations").select("title").eq("client_id", chat.id);
  return data?.[0]?.title ?? undefined;
}

test("useChat asks the user before a tool is run, and the answer goes on when it is approved", async () => {
  const user = await signUp();
  const chat = await askToRename(user, `${rename("Lakes")} [words=2]`);
  const [call] = callsOf(chat);
  assert.equal(call?.state, "approval-requested");
  assert.match(String(await titleOf(user, chat)), /^\[call/, "nothing is done before");
  const asked = plain(chat.messages);
  const { answers: [first] } = await booksOf(user);
  assert.deepEqual([first?.state, first?.finish_reason], ["complete", "tool-calls"]);
  assert.deepEqual(first?.content, plain(chat.lastMessage?.parts));
  // After a reload, the request is still there.
  const replayed = await readChunks(await resume(user, String(first?.id)));
  assert.ok(replayed.some(({ type }) => type === "tool-approval-request"));

  await respond(chat, true);
  assert.equal(chat.status, "ready", String(chat.error));
  assert.equal(await titleOf(user, chat), "Lakes");
  assert.equal(chat.messages.length, 2);
  assert.match(textOf(chat.lastMessage), /The tool returned \{"title":"Lakes"\}\./);
  const { answers, open, held, problems } = await booksOf(user);
  assert.equal(answers.length, 2);
  assert.deepEqual(answers[1]?.content, plain(chat.lastMessage?.parts));
  assert.deepEqual([open, held, problems], [0, 0, 0]);
  assert.ok(answers.every(({ charged, credits }) => charged === credits && Number(credits) > 0));

  // Another device sees the same, also of what came before this answer.
  const other = new Chat(user, { id: chat.id, messages: asked.slice(0, 1) as UIMessage[] });
  const stream = await readChunks(await resume(user, String(answers[1]?.id)));
  assert.deepEqual(
    stream.map(({ type }) => type).filter((type) => type.startsWith("tool-approval")),
    [
      "tool-approval-request",
      "tool-approval-response",
    ],
  );
  await other.resumeStream();
  assert.equal(other.status, "ready");
});

test("a device that follows an approved call gets what the one that approved gets", async () => {
  const user = await signUp();
  const calls: Held = calling(
    ["rename_conversation", '{"title":"A"}'],
    ["rename_conversation", '{"title":"B"}'],
    ["search_messages", '{"query":"x"}'],
  );
  await withHeldProvider([calls, IN_TWO_HALVES], async (model, goOn) => {
    const chat = await askToRename(user, "Hi", model);
    const responding = respond(chat, true, { model, last: "six" });
    await reloadInTheMiddle(user, chat, responding, goOn);
    const { answers } = await booksOf(user);
    assert.deepEqual(answers.at(-1)?.content, plain(chat.lastMessage?.parts));
  });
});

test("a call that the user denies is not run, and the model is told so", async () => {
  const user = await signUp();
  const chat = await askToRename(user, `${rename("Lakes")} [words=2]`);
  await respond(chat, false, { reason: "I like the old one" });
  assert.equal(chat.status, "ready", String(chat.error));
  assert.match(String(await titleOf(user, chat)), /^\[call/);
  assert.match(textOf(chat.lastMessage), /The user did not allow this call: I like the old one/);
  const [call] = callsOf(chat);
  assert.deepEqual([call?.state, call?.approval?.approved], ["output-denied", false]);
  const { answers } = await booksOf(user);
  assert.deepEqual(answers[1]?.content, plain(chat.lastMessage?.parts));
});

test("forged, changed, repeated and foreign approvals are refused, and nothing is run", async () => {
  const [user, stranger] = await Promise.all([signUp(), signUp()]);
  const chat = await askToRename(user, `${rename("Lakes")} [words=2]`);
  const { id, parts } = plain(chat.lastMessage!);
  const approve = (
    changes: Record<string, unknown> = {},
    approval: Record<string, unknown> = {},
  ) => ({
    id: chat.id,
    messages: [{
      id,
      role: "assistant",
      parts: parts.map((part) =>
        isToolUIPart(part)
          ? {
            ...part,
            state: "approval-responded",
            ...changes,
            approval: { ...part.approval, approved: true, ...approval },
          }
          : part
      ),
    }],
    parameters,
  });
  const cases: [TestUser, unknown, number, string][] = [
    [user, approve({ input: { title: "Another" } }), 422, "approval_changed"],
    [user, approve({ toolCallId: "other" }), 409, "approval_not_pending"],
    [user, approve({}, { id: `${crypto.randomUUID()}/1` }), 409, "approval_not_pending"],
    [user, approve({}, { id: "x" }), 409, "approval_not_pending"],
    [user, approve({}, { approved: "yes" }), 422, "invalid_approval"],
    [user, approve({ state: "output-available", output: "done" }), 422, "tool_output_missing"],
    [stranger, approve(), 404, "conversation_not_found"],
  ];
  for (const [who, body, status, code] of cases) {
    const refused = await ask(who, body);
    assert.deepEqual(
      [refused.status, refused.body.code],
      [status, code],
      JSON.stringify(refused.body),
    );
  }
  assert.match(String(await titleOf(user, chat)), /^\[call/);
  const many = await Promise.all([1, 2, 3].map(() => post(user, approve())));
  assert.equal(many.filter(({ status }) => status === 200).length, 1, "an approval counts once");
  await Promise.all(many.map((response) => response.text()));
  assert.equal(await titleOf(user, chat), "Lakes");
  const again = await ask(user, approve());
  assert.deepEqual([again.status, again.body.code], [409, "approval_not_pending"]);
  const { answers, open } = await booksOf(user);
  assert.deepEqual([answers.length, open], [2, 0]);
});

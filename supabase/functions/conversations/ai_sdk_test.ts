import assert from "node:assert/strict";
import { generateId, tool, type UIMessage, validateUIMessages } from "ai";
import * as z from "zod/mini";

import { invoke, signUp, test, type TestUser } from "../_testing/testing.ts";

const deleteFile = tool({
  inputSchema: z.object({ path: z.string() }),
  outputSchema: z.string(),
  needsApproval: true,
});

/** What an app saves of a message, and how it gets the message back. */
const toRow = ({ parts, ...message }: UIMessage) => ({ ...message, content: parts });

async function load({ client }: TestUser, chat: string): Promise<unknown[]> {
  const { data, error } = await client.from("messages")
    .select("id, client_id, role, content, metadata, conversations!inner()")
    .eq("conversations.client_id", chat).order("created_at");
  if (error) throw error;
  return data.map(({ id, client_id, role, content, metadata }) => ({
    id: client_id ?? id,
    role,
    parts: content,
    metadata,
  }));
}

test("messages of the AI SDK come back as they were saved, after each step of a tool call", async () => {
  const user = await signUp();
  const chat = generateId();
  const question: UIMessage = {
    id: generateId(),
    role: "user",
    parts: [{ type: "text", text: "Delete a.txt" }],
    metadata: { model: "m" },
  };
  const started = await invoke(user.client, "conversations", {
    body: { id: chat, message: toRow(question) },
  });
  assert.equal(started.status, 201);

  const id = generateId();
  const call = {
    type: "tool-deleteFile",
    toolCallId: generateId(),
    input: { path: "a.txt" },
  } as const;
  const approval = { id: generateId() };
  const text = { type: "text", text: "I will delete it.", state: "done" } as const;
  const steps: UIMessage["parts"][] = [
    [{ type: "step-start" }, text, { ...call, state: "input-available" }],
    [{ type: "step-start" }, text, { ...call, state: "approval-requested", approval }],
    [{ type: "step-start" }, text, {
      ...call,
      state: "approval-responded",
      approval: { ...approval, approved: true },
    }],
    [
      { type: "step-start" },
      text,
      {
        ...call,
        state: "output-available",
        output: "deleted",
        approval: { ...approval, approved: true },
      },
      { type: "step-start" },
      { type: "text", text: "It is gone.", state: "done" },
    ],
  ];
  const path = `conversations/${chat}/messages`;
  for (const [step, parts] of steps.entries()) {
    const answer: UIMessage = { id, role: "assistant", parts, metadata: { step } };
    const saved = step === 0
      ? await invoke(user.client, path, { body: toRow(answer) })
      : await invoke(user.client, `${path}/${id}`, { method: "PUT", body: toRow(answer) });
    assert.equal(saved.status, step === 0 ? 201 : 200, JSON.stringify(saved.body));
    const messages = await validateUIMessages({
      messages: await load(user, chat),
      metadataSchema: z.looseObject({}),
      tools: { deleteFile },
    });
    assert.deepEqual(messages, [question, answer]);
  }
});

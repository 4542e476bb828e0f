/**
 * A provider that waits in the middle of an answer until its test goes on: so what happens meanwhile does so however slow the
 * machine is.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";

import type { Database } from "../_shared/database.types.ts";
import { type TestUser, until } from "../_testing/testing.ts";
import { Chat, plain, textOf } from "./answers_testing.ts";
import { FINISH, report, say, toStream, withOddProvider } from "./odd_provider_testing.ts";

/** What it says to one request: at once, and when the test goes on. */
export interface Held {
  first: unknown[];
  /** Without it, the answer ends at once. */
  then?: unknown[];
}

/** How often it says that it is there, in milliseconds: silence would end the answer. */
const PULSE_MS = 1_000;

/** An answer of two halves, each with some words. */
export const IN_TWO_HALVES: Held = {
  first: ["One ", "two ", "three ", "four "].map(say),
  then: [say("five "), say("six"), FINISH, report(5, 6), "[DONE]"],
};

/** An answer that calls tools. */
export function calling(...calls: [name: string, input: string][]): Held {
  const tool_calls = calls.map(([name, input], index) => ({
    index,
    id: `call_${crypto.randomUUID()}`,
    function: { name, arguments: input },
  }));
  return { first: [{ choices: [{ delta: { tool_calls } }] }, FINISH, report(5, 6), "[DONE]"] };
}

/**
 * Runs a test with a model of such a provider.
 *
 * @param answers What it says to each request; to those after the last, as to the last.
 * @param run Receives the name of the model, and lets the provider go on.
 * @param model Columns of the model.
 */
export async function withHeldProvider(
  answers: Held[],
  run: (model: string, goOn: () => void) => Promise<void>,
  model: Partial<Database["public"]["Tables"]["models"]["Insert"]> = {},
): Promise<void> {
  const held = Promise.withResolvers<void>();
  const speak = async (response: ServerResponse, { attempt }: { attempt: number }) => {
    const { first, then } = answers[attempt - 1] ?? answers.at(-1)!;
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(toStream(first));
    if (then) {
      const pulse = setInterval(() => response.write(": waiting\n\n"), PULSE_MS);
      await held.promise;
      clearInterval(pulse);
      response.write(toStream(then));
    }
    response.end();
  };
  try {
    await withOddProvider(
      speak,
      (name) => run(name, held.resolve),
      { capabilities: ["tools"], ...model },
    );
  } finally {
    held.resolve();
  }
}

/** Whether the answer that a chat shows has a word. */
export function shows({ lastMessage }: Chat, word: string): boolean {
  return lastMessage?.role === "assistant" && textOf(lastMessage).includes(word);
}

/**
 * Reloads an app in the middle of an answer of two halves, which the new one then shows as the old one does.
 *
 * @param user The user.
 * @param chat The chat before the reload.
 * @param sending Ends with the answer.
 * @param goOn Lets the provider go on.
 * @returns The chat after the reload.
 */
export async function reloadInTheMiddle(
  user: TestUser,
  chat: Chat,
  sending: Promise<unknown>,
  goOn: () => void,
): Promise<Chat> {
  await until(() => shows(chat, "four"));
  const reloaded = new Chat(user, { id: chat.id, messages: plain(chat.messages.slice(0, 1)) });
  const resuming = reloaded.resumeStream();
  await until(() => shows(reloaded, "four"));
  goOn();
  await Promise.all([resuming, sending]);
  assert.equal(chat.status, "ready", String(chat.error));
  assert.equal(reloaded.status, "ready", String(reloaded.error));
  assert.ok(shows(chat, "six"));
  assert.deepEqual(plain(reloaded.messages), plain(chat.messages));
  return reloaded;
}

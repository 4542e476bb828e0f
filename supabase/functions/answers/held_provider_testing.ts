/**
 * A provider that waits in the middle of an answer until its test goes on: so what happens meanwhile does so however slow the
 * machine is.
 *
 * @module
 */

import type { ServerResponse } from "node:http";

import type { Database } from "../_shared/database.types.ts";
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

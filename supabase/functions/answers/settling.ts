/**
 * Makes an answer final, and says what its next step may cost.
 *
 * @module
 */

import { adminClient } from "../_shared/clients.ts";
import type { Json } from "../_shared/database.types.ts";
import { defined, unwrap } from "../_shared/rpc.ts";
import { wait } from "./asking.ts";
import type { Begun, Ended } from "./begun.ts";
import { toFinishReason } from "./endings.ts";
import type { Piece } from "./pieces.ts";
import type { ChatMessage } from "./prompt.ts";
import type { Usage } from "./provider_events.ts";
import { estimateTokens } from "./tokens.ts";

/** Attempts to store the end of an answer, with a pause that grows to {@link LONGEST_PAUSE_MS}. */
const ENDING_ATTEMPTS = 12;

/** The longest pause between two attempts, in milliseconds. */
const LONGEST_PAUSE_MS = 2_000;

/** How an answer ended. */
export interface Ending {
  state: "complete" | "stopped" | "failed";
  reason?: string | undefined;
  error?: string | undefined;
}

/**
 * Stores the end of an answer, and tries again while the database cannot be reached.
 *
 * @param answer The answer.
 * @param ending How it ended.
 * @param rest Its usage, the pieces that are not stored yet with their number, and how often a provider was asked.
 * @returns The answer as it is then; undefined if there is none any more.
 */
export async function settle(
  answer: Begun["answer"],
  { state, reason, error }: Ending,
  { usage, pieces, number, attempts }: {
    usage: Usage;
    pieces: Piece[];
    number: number;
    attempts: number;
  },
): Promise<Ended | undefined> {
  const args = defined({
    answer_id: answer.id,
    state,
    usage: { ...usage } as Record<string, Json>,
    pieces: pieces as unknown as Json,
    number,
    finish_reason: state === "complete" ? toFinishReason(reason) : undefined,
    error,
    attempts,
  });
  for (let attempt = 1;; attempt++) {
    try {
      const finished = await adminClient().rpc("finish_answer", args);
      // It has been deleted, with its account.
      if (!finished.error && !(finished.data as unknown as Ended | null)?.answer) {
        return undefined;
      }
      return unwrap(finished) as unknown as Ended;
    } catch (failure) {
      if (attempt === ENDING_ATTEMPTS) throw failure;
      await wait(Math.min(LONGEST_PAUSE_MS, 100 * 2 ** attempt), new AbortController().signal);
    }
  }
}

/**
 * The most tokens of the next step: as many as the rest of the hold pays for after its prompt, as the context has room
 * for, and as the answer may still have.
 *
 * @param begun The answer.
 * @param usage What it has used.
 * @param messages What the model is to be told.
 * @param extra Tokens of what it is told besides.
 * @returns 0 or less if it cannot have another step.
 */
export function nextOutputTokens(
  { answer, limits }: Begun,
  usage: Usage,
  messages: ChatMessage[],
  extra: number,
): number {
  const prompt = estimateTokens(messages) + extra;
  const room = Math.min(
    limits.output_tokens - usage.output_tokens,
    limits.context_tokens - prompt,
  );
  if (answer.held === 0) return room;
  const { input = 0, cached_input = 0, output = 0, reasoning = 0 } = answer.prices;
  const spent = (usage.input_tokens - usage.cached_input_tokens) * input +
    usage.cached_input_tokens * cached_input +
    (usage.output_tokens - usage.reasoning_tokens) * output + usage.reasoning_tokens * reasoning;
  const rest = answer.held * 1_000_000 - spent - prompt * input;
  const price = Math.max(output, reasoning);
  return Math.min(room, rest < 0 ? 0 : price === 0 ? room : Math.floor(rest / price));
}

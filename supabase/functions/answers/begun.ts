/**
 * Answers as the database returns them.
 *
 * @module
 */

import type { Endpoint } from "./provider.ts";
import type { StoredMessage } from "./prompt.ts";
import type { Piece } from "./pieces.ts";

/** The record of an answer. */
export interface Answer {
  id: string;
  state: "running" | "complete" | "stopped" | "failed" | "abandoned";
  ephemeral: boolean;
  first_part: number;
  conversation_id: string | null;
  project_id: string | null;
  /** The most that it was expected to cost. */
  held: number;
  /** Credits for a million tokens. */
  prices: Record<string, number>;
  /** An upper estimate while it runs. */
  input_tokens: number;
  message_id: string | null;
  finish_reason: string | null;
  error: string | null;
  /** What the message says about the answer: model, usage and credits. */
  metadata: Record<string, unknown>;
}

/** The message that an answer is written into. */
export interface Message extends StoredMessage {
  id: string;
  client_id: string | null;
}

/** What `begin_answer` returns. */
export interface Begun {
  answer: Answer;
  message: Message | null;
  history: StoredMessage[] | null;
  system: string | null;
  endpoints: Endpoint[];
  limits: {
    context_tokens: number;
    output_tokens: number;
    total_time: number;
    idle_time: number;
    bytes: number;
    /** Tokens of the text of earlier files that `input_tokens` contains. Not there for ephemeral answers. */
    file_tokens?: number;
    /** The most steps. Not there for answers that have one. */
    steps?: number;
  };
  replayed: boolean;
}

/** What `finish_answer` and `stop_answer` return. */
export interface Ended {
  answer: Answer;
  message: Message | null;
  entry: unknown;
}

/** What `read_answer` returns; `answer` is null if there is none. */
export interface Reading {
  answer: Answer | null;
  parts: { number: number; pieces: Piece[] }[];
  message: Message | null;
}

/** The id by which the app knows a message. */
export function nameOf(message: Message | null): string | undefined {
  return message?.client_id ?? message?.id;
}

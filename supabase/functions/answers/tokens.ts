/**
 * Counts tokens when a provider does not. An estimate: within a few per cent for most languages.
 *
 * @module
 */

import { estimateTokenCount } from "tokenx";

import type { ChatMessage } from "./prompt.ts";

/** Tokens that the protocol adds to each message. */
const PER_MESSAGE = 4;

/** Tokens of an image, as the database takes it. */
export const PER_FILE = 1_500;

/** Counts the tokens of a text. */
export function countTokens(text: string): number {
  return text ? estimateTokenCount(text) : 0;
}

/** Counts the tokens of what a model is sent besides the messages. */
export function countExtra(
  { tools, response_format }: { tools?: unknown; response_format?: unknown },
): number {
  const extra = [tools, response_format].filter(Boolean);
  return extra.length === 0 ? 0 : countTokens(JSON.stringify(extra));
}

/** An upper estimate of the tokens of messages, like that of the database. */
export function estimateTokens(messages: ChatMessage[]): number {
  let files = 0;
  const text = JSON.stringify(messages, (_, value) => {
    if (value?.type !== "image_url" && value?.type !== "file") return value;
    files++;
    return null;
  });
  return Math.ceil(new TextEncoder().encode(text).length / 3) + files * PER_FILE +
    8 * messages.length;
}

/**
 * Counts the tokens of the messages that a model is sent.
 *
 * @param messages The messages.
 * @param provider The name of the model's provider.
 */
export function countPrompt(messages: ChatMessage[], provider = ""): number {
  return messages.reduce((sum, message) => {
    const { content, tool_calls, reasoning } = message;
    const parts = typeof content === "string"
      ? [{ type: "text" as const, text: content }]
      : content ?? [];
    const inContent = parts.reduce(
      (tokens, part) => tokens + (part.type === "text" ? countTokens(part.text) : PER_FILE),
      0,
    );
    const calls = tool_calls?.map(({ metadata: _, ...call }) => call);
    return sum + PER_MESSAGE + inContent + (calls ? countTokens(JSON.stringify(calls)) : 0) +
      (reasoning?.metadata[provider] ? countTokens(reasoning.text) : 0);
  }, 0);
}

/**
 * What only the provider that has sent it is given back. With a call of a tool, DeepSeek and Moonshot want the reasoning that
 * led to it, and Gemini the signature of the call; they refuse the next request otherwise. Others refuse what they do not know.
 *
 * @module
 */

import type { Json } from "../_shared/database.types.ts";
import type { ChatMessage } from "./prompt.ts";
import { parseInput } from "./tools/input.ts";

/**
 * By the name of the provider, as the AI SDK keeps it in `providerMetadata` of reasoning and `callProviderMetadata` of a
 * call: `field` is the member that had the reasoning, `extra_content` what came with a call.
 */
export type ProviderMetadata = Record<string, Record<string, Json>>;

/** The members in which providers send reasoning, and want it back. */
export const REASONING_FIELDS = ["reasoning_content", "reasoning"] as const;

/** What the database cannot hold, and names of members for which the AI SDK refuses a whole stream. */
const UNUSABLE = /\\u0000|"(?:__proto__|constructor)":/;

/** The most characters of `extra_content` as JSON; a signature has some thousand. */
const MOST_EXTRA = 64 * 1024;

/** Returns metadata that users may have saved; undefined if it is none. */
export function toMetadata(value: unknown): ProviderMetadata | undefined {
  return isObject(value) && Object.values(value).every(isObject)
    ? value as ProviderMetadata
    : undefined;
}

/** The metadata of a call; undefined if nothing came with it, or nothing that can be kept. */
export function toCallMetadata(provider: string, extra: unknown): ProviderMetadata | undefined {
  if (!isObject(extra)) return undefined;
  const text = JSON.stringify(extra);
  const isUsable = text.length <= MOST_EXTRA && !UNUSABLE.test(text) &&
    parseInput(text) !== undefined;
  return isUsable ? { [provider]: { extra_content: extra as Json } } : undefined;
}

/** A message in the form of OpenAI's chat completions, for one provider. */
export function toWire(message: ChatMessage, provider: string): Record<string, unknown> {
  const { reasoning, tool_calls, ...rest } = message;
  const field = reasoning?.metadata[provider]?.field;
  return {
    ...rest,
    ...REASONING_FIELDS.some((known) => known === field) && { [String(field)]: reasoning?.text },
    ...tool_calls && {
      tool_calls: tool_calls.map(({ metadata, ...call }) => {
        const extra_content = metadata?.[provider]?.extra_content;
        return isObject(extra_content) ? { ...call, extra_content } : call;
      }),
    },
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

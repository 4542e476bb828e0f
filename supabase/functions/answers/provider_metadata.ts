/**
 * What only the provider that has sent it is given back. With a call of a tool, DeepSeek and Moonshot want the reasoning that
 * led to it, Gemini the signature of the call, and OpenRouter its details of the reasoning, which have such signatures, too;
 * they refuse the next request otherwise. Others refuse what they do not know.
 *
 * @module
 */

import type { Json } from "../_shared/database.types.ts";
import type { ChatMessage } from "./prompt.ts";
import { parseInput } from "./tools/input.ts";

/**
 * By the name of the provider, as the AI SDK keeps it in `providerMetadata` of reasoning and `callProviderMetadata` of a
 * call: `field` is the member that had the reasoning, `extra_content` what came with a call, and `reasoning_details` those of
 * its step, if it is the last call of that.
 */
export type ProviderMetadata = Record<string, Record<string, Json>>;

/** The members in which providers send reasoning, and want it back. */
export const REASONING_FIELDS = ["reasoning_content", "reasoning"] as const;

/** What the database cannot hold, and names of members for which the AI SDK refuses a whole stream. */
const UNUSABLE = /\\u0000|"(?:__proto__|constructor)":/;

/** The most characters of each as JSON; a signature has some thousand. */
const MOST = 64 * 1024;

/** Returns metadata that users may have saved; undefined if it is none. */
export function toMetadata(value: unknown): ProviderMetadata | undefined {
  return isObject(value) && Object.values(value).every(isObject)
    ? value as ProviderMetadata
    : undefined;
}

/** A detail of reasoning. */
export type Detail = Record<string, Json>;

/** The details that can be kept. */
export function toDetails(value: unknown): Detail[] {
  return Array.isArray(value) ? value.filter(isUsable) as Detail[] : [];
}

/** The members of details of which each event has only the next words. */
const WORDS = new Map<Json | undefined, string>([
  ["reasoning.text", "text"],
  ["reasoning.summary", "summary"],
]);

/** Adds a detail to a list, joined with the last one if it goes on with that. The end of a text may be only its signature. */
export function addDetail(list: Detail[], detail: Detail): void {
  const last = list.at(-1);
  const words = WORDS.get(detail.type);
  if (!words || !last || last.type !== detail.type || last.index !== detail.index) {
    list.push(detail);
    return;
  }
  const known = Object.entries(detail).filter(([, member]) => member !== null);
  const joined = `${last[words] ?? ""}${detail[words] ?? ""}`;
  list[list.length - 1] = { ...last, ...Object.fromEntries(known), [words]: joined };
}

/** The metadata of a call; undefined if nothing came with it, or nothing that can be kept. */
export function toCallMetadata(provider: string, extra: unknown): ProviderMetadata | undefined {
  return isUsable(extra) ? { [provider]: { extra_content: extra as Json } } : undefined;
}

/** A message in the form of OpenAI's chat completions, for one provider. */
export function toWire(message: ChatMessage, provider: string): Record<string, unknown> {
  const { reasoning, tool_calls, ...rest } = message;
  const field = reasoning?.metadata[provider]?.field;
  const reasoning_details = tool_calls?.flatMap(({ metadata }) => {
    const details = metadata?.[provider]?.reasoning_details;
    return Array.isArray(details) ? details.filter(isObject) : [];
  }) ?? [];
  return {
    ...rest,
    // The details have the text.
    ...reasoning_details.length > 0
      ? { reasoning_details }
      : REASONING_FIELDS.some((known) => known === field) && { [String(field)]: reasoning?.text },
    ...tool_calls && {
      tool_calls: tool_calls.map(({ metadata, ...call }) => {
        const extra_content = metadata?.[provider]?.extra_content;
        return isObject(extra_content) ? { ...call, extra_content } : call;
      }),
    },
  };
}

function isUsable(value: unknown): boolean {
  if (!isObject(value)) return false;
  const text = JSON.stringify(value);
  return text.length <= MOST && !UNUSABLE.test(text) && parseInput(text) !== undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

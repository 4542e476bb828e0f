/**
 * Reads the events of a provider's stream.
 *
 * @module
 */

import * as z from "zod/mini";

import { ProviderError } from "./provider_error.ts";
import {
  type Detail,
  type ProviderMetadata,
  REASONING_FIELDS,
  toCallMetadata,
  toDetails,
} from "./provider_metadata.ts";

/** Tokens, as a provider or the server has counted them. */
export interface Usage {
  input_tokens: number;
  cached_input_tokens: number;
  output_tokens: number;
  reasoning_tokens: number;
  source: "provider" | "counted";
}

/** Something that a provider sends. */
export type ProviderEvent =
  | { type: "text" | "reasoning"; text: string; metadata?: ProviderMetadata }
  | {
    type: "tool";
    index: number;
    id: string | undefined;
    name: string | undefined;
    text: string;
    metadata?: ProviderMetadata | undefined;
  }
  | { type: "details"; provider: string; details: Detail[] }
  | { type: "source"; url: string; title: string }
  | { type: "file"; url: string }
  | { type: "finish"; reason: string }
  | { type: "usage"; usage: Usage };

const text = z.optional(z.nullable(z.string()));

/** A text or, from some providers, a list of parts: `{type: "text", text}`, `{type: "thinking", thinking: [parts]}`. */
const content = z.optional(z.nullable(z.union([z.string(), z.array(z.unknown())])));

const count = z.int().check(z.minimum(0));

/** A number that only some providers report. */
const perhaps = z.catch(z.nullish(count), undefined);

/** The members that are read; providers send others, too. */
const Completion = z.looseObject({
  error: z.optional(z.unknown()),
  choices: z.optional(z.nullable(z.array(z.looseObject({
    index: z.optional(z.nullable(z.number())),
    finish_reason: text,
    delta: z.optional(z.nullable(z.looseObject({
      content,
      refusal: text,
      reasoning_content: text,
      reasoning: text,
      reasoning_details: z.optional(z.unknown()),
      annotations: z.optional(z.unknown()),
      images: z.optional(z.unknown()),
      tool_calls: z.optional(z.nullable(z.array(z.looseObject({
        index: z.optional(z.nullable(z.number())),
        id: text,
        extra_content: z.optional(z.unknown()),
        function: z.optional(z.nullable(z.looseObject({ name: text, arguments: text }))),
      })))),
    }))),
  })))),
  usage: z.optional(z.unknown()),
});

/** A source that the model names; other annotations are ignored. */
const Annotation = z.looseObject({
  url_citation: z.looseObject({ url: z.url({ protocol: /^https?$/ }), title: text }),
});

/** An image that the model has made. */
const MadeImage = z.looseObject({ image_url: z.looseObject({ url: z.string() }) });

/** Usage that is anything else is as good as none. */
const CompletionUsage = z.looseObject({
  prompt_tokens: count,
  completion_tokens: count,
  total_tokens: perhaps,
  /** What DeepSeek calls the cached tokens. */
  prompt_cache_hit_tokens: perhaps,
  /** What Moonshot calls them. */
  cached_tokens: perhaps,
  prompt_tokens_details: z.nullish(z.looseObject({ cached_tokens: z.nullish(count) })),
  completion_tokens_details: z.nullish(z.looseObject({ reasoning_tokens: z.nullish(count) })),
});

/**
 * Reads an event.
 *
 * @param data Its data: a chunk of a chat completion.
 * @param provider The name of the provider.
 * @throws {ProviderError} if it is none, or reports an error.
 */
export function toEvents(data: string, provider: string): ProviderEvent[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(data);
  } catch {
    throw new ProviderError("provider_interrupted", "The provider sent something that is not JSON");
  }
  const { success, data: completion } = z.safeParse(Completion, parsed);
  if (!success || completion.error) {
    throw new ProviderError("provider_interrupted", "The provider reported an error");
  }
  const events: ProviderEvent[] = [];
  // One choice was asked for. Some send more.
  const { delta, finish_reason } = completion.choices?.find(({ index }) => !index) ?? {};
  const field = REASONING_FIELDS.find((name) => delta?.[name]);
  if (field) {
    const metadata = { [provider]: { field } };
    events.push({ type: "reasoning", text: delta?.[field] ?? "", metadata });
  }
  const details = toDetails(delta?.reasoning_details);
  if (details.length > 0) events.push({ type: "details", provider, details });
  events.push(...toTexts(delta?.content), ...toTexts(delta?.refusal));
  for (const { url_citation } of known(delta?.annotations, Annotation)) {
    events.push({ type: "source", url: url_citation.url, title: url_citation.title ?? "" });
  }
  for (const { image_url } of known(delta?.images, MadeImage)) {
    events.push({ type: "file", url: image_url.url });
  }
  for (const { index, id, extra_content, function: called } of delta?.tool_calls ?? []) {
    events.push({
      type: "tool",
      index: index ?? 0,
      id: id || undefined,
      name: called?.name ?? undefined,
      text: called?.arguments ?? "",
      metadata: toCallMetadata(provider, extra_content),
    });
  }
  if (finish_reason) events.push({ type: "finish", reason: finish_reason });
  const { data: usage } = z.safeParse(CompletionUsage, completion.usage);
  if (usage) events.push({ type: "usage", usage: toUsage(usage) });
  return events;
}

/** xAI and Gemini do not count the reasoning among the completion; then only the total has it. It costs what output costs. */
function toUsage(reported: z.infer<typeof CompletionUsage>): Usage {
  const { prompt_tokens, completion_tokens, total_tokens } = reported;
  const beside = Math.max(0, (total_tokens ?? 0) - prompt_tokens - completion_tokens);
  const reasoning = reported.completion_tokens_details?.reasoning_tokens ?? 0;
  return {
    input_tokens: prompt_tokens,
    cached_input_tokens: reported.prompt_tokens_details?.cached_tokens ??
      reported.prompt_cache_hit_tokens ?? reported.cached_tokens ?? 0,
    output_tokens: completion_tokens + beside,
    reasoning_tokens: Math.max(reasoning, beside),
    source: "provider",
  };
}

/** The elements of a list that have a known form. */
function known<T extends z.ZodMiniType>(list: unknown, schema: T): z.infer<T>[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((element) => {
    const { success, data } = z.safeParse(schema, element);
    return success ? [data] : [];
  });
}

/** What a part of a content says. */
function toTexts(part: unknown, said: "text" | "reasoning" = "text"): ProviderEvent[] {
  if (typeof part === "string") return part ? [{ type: said, text: part }] : [];
  if (Array.isArray(part)) return part.flatMap((inner) => toTexts(inner, said));
  const { type, text, thinking } = (part ?? {}) as Record<string, unknown>;
  if (type === "thinking") return toTexts(thinking, "reasoning");
  return type === "text" && typeof text === "string" ? toTexts(text, said) : [];
}

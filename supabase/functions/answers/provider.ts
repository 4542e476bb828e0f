/**
 * Asks a provider that speaks the protocol of OpenAI's chat completions, and reads its stream.
 *
 * @module
 */

import { EventSourceParserStream } from "eventsource-parser/stream";
import * as z from "zod/mini";

import type { ChatMessage } from "./prompt.ts";

/** Where a model is, as the database returns it. */
export interface Endpoint {
  model: string;
  endpoint_model: string;
  provider: string;
  base_url: string | null;
  secret_name: string;
  output_limit_name: "max_tokens" | "max_completion_tokens";
  capabilities: string[];
}

/** What a model is asked. */
export interface Question {
  messages: ChatMessage[];
  output_tokens: number;
  /** Members of the provider's request, such as `temperature` and `tools`. */
  parameters: Record<string, unknown>;
}

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
  | { type: "text" | "reasoning"; text: string }
  | { type: "tool"; index: number; id: string | undefined; name: string | undefined; text: string }
  | { type: "finish"; reason: string }
  | { type: "usage"; usage: Usage };

/** Why there is no answer: the code that the record of the answer has. */
export type Failure =
  | "model_misconfigured"
  | "provider_unavailable"
  | "provider_refused"
  | "provider_interrupted"
  | "provider_silent";

/** A provider did not answer, or stopped in the middle. Says nothing of what the provider sent: it may repeat the prompt. */
export class ProviderError extends Error {
  readonly code: Failure;
  /** Whether the same request may succeed a moment later. */
  readonly retryable: boolean;
  /** Milliseconds that the provider wants the next request to wait. */
  readonly waitMs: number | undefined;

  constructor(code: Failure, message: string, retryable = false, waitMs?: number) {
    super(message);
    this.name = "ProviderError";
    this.code = code;
    this.retryable = retryable;
    this.waitMs = waitMs;
  }
}

const text = z.optional(z.nullable(z.string()));
const count = z.int().check(z.minimum(0));

/** The members that are read; providers send others, too. */
const Completion = z.looseObject({
  error: z.optional(z.unknown()),
  choices: z.optional(z.nullable(z.array(z.looseObject({
    finish_reason: text,
    delta: z.optional(z.nullable(z.looseObject({
      content: text,
      reasoning_content: text,
      reasoning: text,
      tool_calls: z.optional(z.nullable(z.array(z.looseObject({
        index: z.optional(z.number()),
        id: text,
        function: z.optional(z.looseObject({ name: text, arguments: text })),
      })))),
    }))),
  })))),
  usage: z.optional(z.unknown()),
});

/** Usage that is anything else is as good as none. */
const CompletionUsage = z.looseObject({
  prompt_tokens: count,
  completion_tokens: count,
  prompt_tokens_details: z.nullish(z.looseObject({ cached_tokens: z.nullish(count) })),
  completion_tokens_details: z.nullish(z.looseObject({ reasoning_tokens: z.nullish(count) })),
});

/**
 * Asks a model. The events end when the provider has said all.
 *
 * @param endpoint Where the model is.
 * @param question What it is asked.
 * @param options `signal` ends the request; `idleMs`: how long the provider may send nothing.
 * @throws {ProviderError} if the provider does not answer, or stops in the middle.
 */
export async function* ask(
  endpoint: Endpoint,
  question: Question,
  { signal, idleMs }: { signal: AbortSignal; idleMs: number },
): AsyncGenerator<ProviderEvent> {
  // Not AbortSignal.any: the runtime may collect a signal that only other signals refer to, and then it never comes.
  const ending = new AbortController();
  let isIdle = false;
  const end = () => ending.abort();
  const endIdle = () => {
    isIdle = true;
    end();
  };
  if (signal.aborted) end();
  signal.addEventListener("abort", end);
  let timer = setTimeout(endIdle, idleMs);
  try {
    const body = await open(endpoint, question, ending.signal);
    let ended = false;
    for await (const { data } of eventsOf(body, ending.signal)) {
      clearTimeout(timer);
      timer = setTimeout(endIdle, idleMs);
      if (data === "[DONE]") return;
      for (const event of toEvents(data)) {
        ended ||= event.type === "finish";
        yield event;
      }
    }
    if (!ended) {
      throw new ProviderError(
        "provider_interrupted",
        "The provider's stream ended too early",
        true,
      );
    }
  } catch (error) {
    if (error instanceof ProviderError || signal.aborted) throw error;
    if (isIdle) {
      throw new ProviderError(
        "provider_silent",
        `The provider sent nothing for ${idleMs} ms`,
        true,
      );
    }
    throw new ProviderError("provider_interrupted", "The connection to the provider broke", true);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    end();
  }
}

/** Sends the request, and returns the body of a successful response. */
async function open(
  endpoint: Endpoint,
  { messages, output_tokens, parameters }: Question,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  const { url, key } = locate(endpoint);
  let response: Response;
  try {
    response = await fetch(`${url}/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: JSON.stringify({
        ...parameters,
        model: endpoint.endpoint_model,
        messages,
        [endpoint.output_limit_name]: output_tokens,
        stream: true,
        stream_options: { include_usage: true },
      }),
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ProviderError("provider_unavailable", `Cannot reach ${endpoint.provider}`, true);
  }
  if (response.ok && response.body) return response.body;
  await response.body?.cancel();
  throw toError(endpoint, response);
}

function toError({ provider }: Endpoint, { status, headers }: Response): ProviderError {
  const message = `${provider} responded with status ${status}`;
  if (status === 429 || status >= 500) {
    const seconds = Number(headers.get("retry-after") ?? NaN);
    return new ProviderError(
      "provider_unavailable",
      message,
      true,
      Number.isFinite(seconds) ? seconds * 1000 : undefined,
    );
  }
  const ours = [401, 403, 404].includes(status);
  return new ProviderError(ours ? "model_misconfigured" : "provider_refused", message);
}

/** The address and the key of a provider. */
function locate({ provider, base_url, secret_name }: Endpoint): { url: string; key: string } {
  const variable = `${provider.toUpperCase()}_BASE_URL`;
  const url = base_url ?? Deno.env.get(variable);
  const key = Deno.env.get(secret_name);
  if (url && key) return { url, key };
  throw new ProviderError(
    "model_misconfigured",
    `The variable ${url ? secret_name : variable} of the functions is not set`,
  );
}

function eventsOf(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal,
): ReadableStream<{ data: string }> {
  return body.pipeThrough(new TextDecoderStream(), { signal })
    .pipeThrough(new EventSourceParserStream(), { signal });
}

function toEvents(data: string): ProviderEvent[] {
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
  const { delta, finish_reason } = completion.choices?.[0] ?? {};
  const reasoning = delta?.reasoning_content ?? delta?.reasoning;
  if (reasoning) events.push({ type: "reasoning", text: reasoning });
  if (delta?.content) events.push({ type: "text", text: delta.content });
  for (const { index = 0, id, function: called } of delta?.tool_calls ?? []) {
    events.push({
      type: "tool",
      index,
      id: id ?? undefined,
      name: called?.name ?? undefined,
      text: called?.arguments ?? "",
    });
  }
  if (finish_reason) events.push({ type: "finish", reason: finish_reason });
  const { data: usage } = z.safeParse(CompletionUsage, completion.usage);
  if (usage) {
    events.push({
      type: "usage",
      usage: {
        input_tokens: usage.prompt_tokens,
        cached_input_tokens: usage.prompt_tokens_details?.cached_tokens ?? 0,
        output_tokens: usage.completion_tokens,
        reasoning_tokens: usage.completion_tokens_details?.reasoning_tokens ?? 0,
        source: "provider",
      },
    });
  }
  return events;
}

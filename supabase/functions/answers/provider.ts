/**
 * Asks a provider that speaks the protocol of OpenAI's chat completions, and reads its stream.
 *
 * @module
 */

import { createParser } from "eventsource-parser";

import type { ChatMessage } from "./prompt.ts";
import { ProviderError, toError } from "./provider_error.ts";
import { type ProviderEvent, toEvents } from "./provider_events.ts";
import { toWire } from "./provider_metadata.ts";

/** The largest event in characters: more than any message may be, and far less than a function may take. */
const LARGEST_EVENT = 4 * 1024 * 1024;

/** Where a model is, as the database returns it. */
export interface Endpoint {
  model: string;
  endpoint_model: string;
  provider: string;
  base_url: string | null;
  secret_name: string;
  output_limit_name: "max_tokens" | "max_completion_tokens";
  /** Whether the provider takes `stream_options`, by which it is asked to report usage. */
  stream_options: boolean;
  capabilities: string[];
}

/** What a model is asked. */
export interface Question {
  messages: ChatMessage[];
  output_tokens: number;
  /** Members of the provider's request, such as `temperature` and `tools`. */
  parameters: Record<string, unknown>;
}

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
  const stayAlive = () => {
    clearTimeout(timer);
    timer = setTimeout(endIdle, idleMs);
  };
  let ended = false;
  try {
    const body = await open(endpoint, question, ending.signal);
    for await (const data of eventsOf(body, ending.signal, stayAlive)) {
      stayAlive();
      if (data === "[DONE]") return;
      for (const event of toEvents(data, endpoint.provider)) {
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
    // The model has finished: all of its text is there.
    if (ended) return;
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
        messages: messages.map((message) => toWire(message, endpoint.provider)),
        [endpoint.output_limit_name]: output_tokens,
        stream: true,
        ...endpoint.stream_options && { stream_options: { include_usage: true } },
      }),
      // Another address would be told the prompt.
      redirect: "manual",
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

/**
 * The data of each event. Transforming streams would cost several times as much for each of them.
 *
 * @param body What the provider sends.
 * @param signal Ends the reading.
 * @param onComment Called when it says only that it is there, as gateways do while a model thinks.
 */
async function* eventsOf(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal,
  onComment: () => void,
): AsyncGenerator<string> {
  const events: string[] = [];
  const parser = createParser({
    onEvent: ({ data }) => events.push(data),
    onComment,
    maxBufferSize: LARGEST_EVENT,
    onError(error) {
      // After others, the parser goes on.
      if (error.type === "max-buffer-size-exceeded") throw error;
    },
  });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  // The runtime may collect the signal of a request that has its response, and then it never comes to the body.
  const cancel = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", cancel);
  try {
    for (;;) {
      signal.throwIfAborted();
      const { value, done } = await reader.read();
      signal.throwIfAborted();
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      yield* events.splice(0);
    }
  } finally {
    signal.removeEventListener("abort", cancel);
    cancel();
  }
}

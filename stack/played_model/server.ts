/**
 * A model that is played: a server on 127.0.0.1 that speaks the protocol of OpenAI's chat completions, so that answers can
 * be tried and tested without a key and without a network.
 *
 * @module
 */

import { type PlayedRequest, type Script, textOf, toScript } from "./script.ts";

/** A running model. */
export interface PlayedModel {
  /** Its base URL, as providers give it: what comes before `/chat/completions`. */
  readonly url: string;
  stop(): Promise<void>;
}

/** The key that it accepts, as a provider's. Not secret: only this machine reaches it. */
export const PLAYED_KEY = "played-model-needs-no-secret";

/** Bytes that no answer has. */
const NEVER_REACHED = "1000000000000";

/** Starts the model on a free port. */
export function startPlayedModel(): PlayedModel {
  const ending = new AbortController();
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    signal: ending.signal,
    onListen: () => {},
  }, respond);
  return {
    url: `http://127.0.0.1:${server.addr.port}/v1`,
    async stop() {
      // Its answers may be endless.
      ending.abort();
      await server.finished;
    },
  };
}

/** What a function needs to reach it: the variables of a provider named `played`. */
export function playedEnvironment({ url }: PlayedModel): Record<string, string> {
  return { PLAYED_BASE_URL: url, PLAYED_API_KEY: PLAYED_KEY };
}

async function respond(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (request.method !== "POST" || pathname !== "/v1/chat/completions") {
    return refuse(404, "The only route here is POST /v1/chat/completions");
  }
  if (request.headers.get("authorization") !== `Bearer ${PLAYED_KEY}`) {
    return refuse(401, "The key is wrong");
  }
  const body: PlayedRequest = await request.json();
  const script = toScript(body);
  if (script.status !== undefined) {
    return refuse(script.status, "The played model refuses to answer");
  }
  return new Response(speak(body, script), {
    headers: {
      "content-type": "text/event-stream",
      // A body that ends before its length breaks the connection. An error in the stream would do so too, and be logged.
      ...script.failAfter !== undefined && { "content-length": NEVER_REACHED },
    },
  });
}

function refuse(status: number, message: string): Response {
  return Response.json({ error: { message } }, { status });
}

function speak(request: PlayedRequest, script: Script): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const events = toEvents(request, script);
  let timer: ReturnType<typeof setTimeout> | undefined;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value } = events.next();
      if (value === undefined || value === "fail") return controller.close();
      if (value === "stall") return await new Promise(() => {});
      await new Promise((resolve) => {
        timer = setTimeout(resolve, script.paceMs);
      });
      const data = typeof value === "string" ? value : JSON.stringify(value);
      controller.enqueue(encoder.encode(`data: ${data}\n\n`));
    },
    cancel: () => clearTimeout(timer),
  });
}

function* toEvents(request: PlayedRequest, script: Script): Generator<unknown, undefined> {
  const chunk = (delta: unknown, finish_reason: string | null = null) => ({
    object: "chat.completion.chunk",
    model: request.model,
    choices: [{ index: 0, delta, finish_reason, logprobs: { content: [] } }],
  });
  yield chunk({ role: "assistant", content: "" });
  for (const thought of script.thoughts) yield chunk({ reasoning_content: thought });
  let said = 0;
  for (const word of script.words) {
    if (said === script.stallAfter) yield "stall";
    if (said === script.failAfter) yield "fail";
    // Members that nobody needs are there, too, as with real providers.
    yield script.refuses ? chunk({ refusal: word }) : { ...chunk({ content: word }), served: true };
    said++;
  }
  if (script.stallAfter === said) yield "stall";
  if (script.failAfter === said) yield "fail";
  if (script.cites) yield chunk({ annotations: SOURCES });
  if (script.makesImage) {
    yield chunk({ images: [{ type: "image_url", image_url: { url: PIXEL } }] });
  }
  for (const [index, call] of script.calls.entries()) yield* toCall(call, index, chunk);
  const cut = request.max_tokens !== undefined && said >= request.max_tokens;
  yield chunk({}, script.calls.length > 0 ? "tool_calls" : cut ? "length" : "stop");
  if (script.reportsUsage) yield { choices: [], usage: usageOf(request, script) };
  yield "[DONE]";
}

/** The input of a call comes in several pieces, as with real models. */
function* toCall(
  { name, input }: { name: string; input: string },
  index: number,
  chunk: (delta: unknown) => unknown,
): Generator<unknown, undefined> {
  const call = (text: string, first = {}) =>
    chunk({
      tool_calls: [{
        index,
        ...first,
        function: { ...first && "id" in first ? { name } : {}, arguments: text },
      }],
    });
  yield call("", { id: `call_${crypto.randomUUID()}`, type: "function" });
  for (const text of input.match(/.{1,6}/gsu) ?? []) yield call(text);
}

/** The sources that it names: two, and one that no browser could open. */
const SOURCES = [
  { type: "url_citation", url_citation: { url: "https://example.com/lakes", title: "Lakes" } },
  { type: "url_citation", url_citation: { url: "https://example.com/rivers" } },
  { type: "url_citation", url_citation: { url: "javascript:alert(1)", title: "Nothing" } },
];

/** The image that it makes: a PNG of one pixel. */
const PIXEL =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";

/** A token is a word. */
function usageOf({ messages }: PlayedRequest, { words, thoughts }: Script) {
  const prompt_tokens = messages.reduce(
    (sum, { content }) => sum + textOf(content).split(/\s+/).length,
    0,
  );
  return {
    prompt_tokens,
    completion_tokens: words.length + thoughts.length,
    total_tokens: prompt_tokens + words.length + thoughts.length,
    prompt_tokens_details: { cached_tokens: Math.floor(prompt_tokens / 2) },
    completion_tokens_details: { reasoning_tokens: thoughts.length },
  };
}

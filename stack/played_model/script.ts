/**
 * What the played model says. The name of the model chooses how it behaves, and so do words in what the user says:
 * `[tool]`, `[call NAME INPUT]`, `[loop]`, `[reason]`, `[cite]`, `[image]`, `[refusal]`, `[stall]`, `[fail]`, `[no-usage]`,
 * `[busy]`, `[refuse]`, `[words=N]`, `[pace=MS]`.
 *
 * @module
 */

/** A request of OpenAI's chat completions, as far as it is read here. */
export interface PlayedRequest {
  model: string;
  messages: { role: string; content?: unknown; tool_calls?: unknown; tool_call_id?: string }[];
  tools?: { function: { name: string } }[];
  tool_choice?: unknown;
  max_tokens?: number;
  response_format?: { type: string };
}

/** How the model answers. */
export interface Script {
  /** The words that it says. */
  words: string[];
  /** The words that it thinks before. */
  thoughts: string[];
  /** The tools that it calls. */
  calls: { name: string; input: string }[];
  /** Whether it names sources. */
  cites: boolean;
  /** Whether it makes an image. */
  makesImage: boolean;
  /** Whether it says so in the member for refusals. */
  refuses: boolean;
  /** Milliseconds between two words. */
  paceMs: number;
  /** After how many words it says nothing more, and leaves the connection open. */
  stallAfter: number | undefined;
  /** After how many words it breaks the connection. */
  failAfter: number | undefined;
  /** Whether it says how many tokens it took. */
  reportsUsage: boolean;
  /** Status of a refusal; undefined if it answers. */
  status: number | undefined;
}

const TEXT = (
  "This answer comes from the played model. It needs neither a key nor a network, and it says as much as " +
  "you ask for. Ünïcödé, 東京 and 👩‍🚀 are among its words."
).split(" ");

/**
 * Decides how to answer a request.
 *
 * @param request The request.
 */
export function toScript(request: PlayedRequest): Script {
  const asked = textOf(request.messages.findLast(({ role }) => role === "user")?.content);
  const has = (word: string) => request.model === `played-${word}` || asked.includes(`[${word}]`);
  const number = (name: string) => {
    const value = asked.match(new RegExp(`\\[${name}=(\\d{1,6})\\]`))?.[1];
    return value === undefined ? undefined : Number(value);
  };
  const length = Math.min(number("words") ?? 40, request.max_tokens ?? Infinity);
  const results = resultsOf(request);
  const answersTool = results.length > 0;
  const words = answersTool
    ? results.map((result) => `The tool returned ${result}.`).join(" ").split(" ")
    : request.response_format && request.response_format.type !== "text"
    ? ['{"played":', "true}"]
    : Array.from({ length }, (_, index) => TEXT[index % TEXT.length] ?? "");
  return {
    words: words.map((word, index) => index === 0 ? word : ` ${word}`),
    thoughts: has("reason") ? ["I ", "think ", "first."] : [],
    calls: !answersTool || has("loop") ? callsOf(request, asked) : [],
    cites: has("cite"),
    makesImage: has("image") && !answersTool,
    refuses: has("refusal"),
    paceMs: number("pace") ?? 15,
    stallAfter: has("stall") ? Math.min(5, length) : undefined,
    failAfter: has("fail") ? number("fail-after") ?? Math.min(5, length) : undefined,
    reportsUsage: !has("no-usage"),
    status: has("busy") ? 429 : has("refuse") ? 400 : has("broken") ? 500 : undefined,
  };
}

/** The text of the content of a message. */
export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part) => typeof part?.text === "string" ? part.text : "").join("\n");
}

/** What the tools that it called last have returned. */
function resultsOf({ messages }: PlayedRequest): string[] {
  const before = messages.findLastIndex(({ role }) => role !== "tool");
  return messages.slice(before + 1).map(({ content }) => textOf(content));
}

/** The calls that the user asks for. `[tool]` is a call of the first tool. */
function callsOf({ tools, tool_choice }: PlayedRequest, asked: string): Script["calls"] {
  if (!tools?.length || tool_choice === "none") return [];
  const calls = [...asked.matchAll(/\[call ([\w-]+) ?([^\]]*)\]/g)].map((
    [, name = "", input = ""],
  ) => ({
    name,
    input,
  }));
  if (asked.includes("[tool]")) {
    calls.push({ name: tools[0]!.function.name, input: '{"city": "東京", "days": 2}' });
  }
  return calls;
}

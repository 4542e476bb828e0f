/**
 * Helpers for the tests of answers: clients of the AI SDK and plain ones, and what an answer leaves behind.
 *
 * @module
 */

import assert from "node:assert/strict";

import {
  AbstractChat,
  type ChatInit,
  type ChatState,
  DefaultChatTransport,
  parseJsonEventStream,
  type UIMessage,
  type UIMessageChunk,
  uiMessageChunkSchema,
} from "ai";
import postgres from "postgres";

import { fetchChecked } from "../_testing/answers.ts";
import type { Database } from "../_shared/database.types.ts";
import { serviceClient, stack, type TestStack, type TestUser, until } from "../_testing/testing.ts";

let current = stack;

/**
 * Lets the helpers below use another stack than that of the run.
 *
 * @param of The other stack.
 * @param run The test.
 */
export async function onStack(of: TestStack, run: () => Promise<void>): Promise<void> {
  current = of;
  try {
    await run();
  } finally {
    current = stack;
  }
}

const urlOf = (path: string) => `${current.url}/functions/v1/answers${path}`;

/** The headers of a user, as an app gives them to the transport. */
export function headersOf(user: TestUser): Record<string, string> {
  return { authorization: `Bearer ${user.token}`, apikey: current.publishableKey };
}

/** What `useChat` keeps in React's state. */
class State implements ChatState<UIMessage> {
  status: ChatState<UIMessage>["status"] = "ready";
  error: Error | undefined;
  messages: UIMessage[];
  constructor(messages: UIMessage[] = []) {
    this.messages = messages;
  }
  pushMessage = (message: UIMessage) => {
    this.messages = [...this.messages, message];
  };
  popMessage = () => {
    this.messages = this.messages.slice(0, -1);
  };
  replaceMessage = (index: number, message: UIMessage) => {
    this.messages = this.messages.with(index, structuredClone(message));
  };
  snapshot = <T>(value: T): T => structuredClone(value);
}

/** A chat of the AI SDK, as `useChat` makes it, with the transport of the documents and no functions of its own. */
export class Chat extends AbstractChat<UIMessage> {
  constructor(user: TestUser, options: Omit<ChatInit<UIMessage>, "transport"> = {}, path = "") {
    super({
      ...options,
      state: new State(options.messages),
      transport: new DefaultChatTransport({
        api: urlOf(path),
        headers: headersOf(user),
        fetch: fetchChecked as typeof fetch,
      }),
    });
  }
}

/** The text of a message. */
export function textOf(message: { parts: UIMessage["parts"] } | undefined): string {
  return message?.parts.map((part) => part.type === "text" ? part.text : "").join("") ?? "";
}

/** The messages as JSON has them: without members that are undefined. */
export function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value));
}

/**
 * Adds a model for the time of a test.
 *
 * @param model Columns that differ from those of the model `played`.
 * @param run Receives its name.
 */
export async function withModel(
  model: Partial<Database["public"]["Tables"]["models"]["Insert"]>,
  run: (name: string) => Promise<void>,
): Promise<void> {
  const service = serviceClient();
  const name = `test.${crypto.randomUUID()}`;
  const { data, error } = await service.from("models").select("*").eq("name", "played").single();
  if (error) throw error;
  const { valid_from: _, created_at: __, ...played } = data;
  const added = await service.from("models").insert({ ...played, rank: 1000, ...model, name });
  if (added.error) throw added.error;
  try {
    await run(name);
  } finally {
    await service.from("models").delete().eq("name", name);
  }
}

/** An event of a stream. */
export interface StreamEvent {
  id: string;
  chunk: UIMessageChunk;
}

/**
 * Posts to a route.
 *
 * @param user The caller.
 * @param body The body.
 * @param options Path below `/answers`, headers and signal.
 */
export function post(
  user: TestUser,
  body: unknown,
  { path = "", headers = {}, signal }: {
    path?: string;
    headers?: Record<string, string>;
    signal?: AbortSignal;
  } = {},
): Promise<Response> {
  return fetchChecked(urlOf(path), {
    method: "POST",
    headers: { ...headersOf(user), "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    ...signal && { signal },
  });
}

/** Asks for a whole answer at once. */
export async function ask(
  user: TestUser,
  body: unknown,
  headers: Record<string, string> = {},
  path = "",
  // deno-lint-ignore no-explicit-any -- each test asserts what it expects
): Promise<{ status: number; headers: Headers; body: any }> {
  const response = await post(user, body, {
    path,
    headers: { accept: "application/json", ...headers },
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** Follows an answer. */
export function resume(user: TestUser, id: string, lastEventId?: string): Promise<Response> {
  return fetchChecked(urlOf(`/${id}/stream`), {
    headers: {
      ...headersOf(user),
      ...lastEventId !== undefined && { "last-event-id": lastEventId },
    },
  });
}

/** Stops an answer. */
export function stop(user: TestUser, id: string): Promise<Response> {
  return fetchChecked(urlOf(`/${id}/stop`), { method: "POST", headers: headersOf(user) });
}

/**
 * Stops an answer, and returns how it ended. One request waits five seconds at most, which a busy machine may need longer
 * than.
 */
// deno-lint-ignore no-explicit-any -- each test asserts what it expects
export async function stopToEnd(user: TestUser, id: string): Promise<any> {
  // deno-lint-ignore no-explicit-any -- as above
  let body: any;
  await until(async () => {
    const response = await stop(user, id);
    body = await response.json();
    assert.equal(response.status, 200, JSON.stringify(body));
    return body.answer.state !== "running";
  });
  return body;
}

/** Holds each chunk of a stream against the schema of the AI SDK. */
export async function readChunks(response: Response): Promise<UIMessageChunk[]> {
  assert.equal(response.status, 200, await peek(response));
  assert.equal(response.headers.get("x-vercel-ai-ui-message-stream"), "v1");
  assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
  assert.ok(response.body);
  const chunks: UIMessageChunk[] = [];
  const events = parseJsonEventStream({ stream: response.body, schema: uiMessageChunkSchema });
  for await (const event of events) {
    if (!event.success) throw event.error;
    chunks.push(event.value);
  }
  return chunks;
}

async function peek(response: Response): Promise<string> {
  return response.status === 200 ? "" : await response.clone().text();
}

/**
 * Reads the events of a stream.
 *
 * @param response The response.
 * @param until Whether to go away after an event. Default: reads to the end.
 */
export async function readEvents(
  response: Response,
  until: (event: StreamEvent) => boolean = () => false,
): Promise<{ events: StreamEvent[]; done: boolean }> {
  assert.equal(response.status, 200, await peek(response));
  const events: StreamEvent[] = [];
  let buffer = "";
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    buffer += text;
    for (let end = buffer.indexOf("\n\n"); end >= 0; end = buffer.indexOf("\n\n")) {
      const block = buffer.slice(0, end);
      buffer = buffer.slice(end + 2);
      if (block === "data: [DONE]") return { events, done: true };
      const [, id = "", data = ""] = block.match(/^id: (.*)\ndata: (.*)$/) ?? [];
      const event = { id, chunk: JSON.parse(data) };
      events.push(event);
      if (until(event)) return { events, done: false };
    }
  }
  return { events, done: false };
}

/** The text that the chunks of a stream have. */
export function textIn(chunks: UIMessageChunk[]): string {
  return chunks.map((chunk) => chunk.type === "text-delta" ? chunk.delta : "").join("");
}

/** What is left of a user's answers. */
export interface Books {
  answers: Record<string, unknown>[];
  open: number;
  parts: number;
  drafts: number;
  held: number;
  charged: number;
  problems: number;
}

/** Reads what the answers of a user left in the database. */
export async function booksOf(user: TestUser): Promise<Books> {
  const sql = postgres(current.dbUrl, { max: 1 });
  try {
    const answers = await sql`
      select a.*, a.credits::float8 as credits, m.content, m.status, m.metadata, -t.amount::float8 as charged
      from answers as a left join messages as m on m.id = a.message_id
      left join private.credit_transactions as t on t.hold_id = a.hold_id
      where a.user_id = ${user.id} order by a.created_at`;
    const [sums] = await sql`
      select (select count(*)::int from private.credit_holds as h where h.actor_id = ${user.id}) as open,
        (select count(*)::int from answer_parts as p where p.user_id = ${user.id}) as parts,
        (select count(*)::int from messages as m where m.user_id = ${user.id} and m.status = 'streaming') as drafts,
        (select c.held::float8 from credit_accounts as c where c.user_id = ${user.id}) as held,
        (select coalesce(-sum(t.amount), 0)::float8 from private.credit_transactions as t
          join credit_accounts as c on c.id = t.account_id where c.user_id = ${user.id} and t.kind = 'capture') as charged,
        (select count(*)::int from credit_accounts as c cross join lateral credit_reconciliation(c.id)
          where c.user_id = ${user.id}) as problems`;
    return { answers: [...answers], ...sums } as unknown as Books;
  } finally {
    await sql.end();
  }
}

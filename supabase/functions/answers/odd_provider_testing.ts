/**
 * Providers that send what a test tells them, byte by byte.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import type { Database } from "../_shared/database.types.ts";
import { serviceClient, type TestUser } from "../_testing/testing.ts";
import { ask, booksOf, withModel } from "./answers_testing.ts";

/** Answers a request to the provider; `attempt` counts them from 1. */
export type Respond = (
  response: ServerResponse,
  request: { attempt: number; body: string },
) => void | Promise<void>;

/**
 * Runs a test with a model whose provider responds as it is told to.
 *
 * @param respond The provider.
 * @param run Receives the name of the model, and the number of requests so far.
 * @param model Columns of the model.
 */
export async function withOddProvider(
  respond: Respond,
  run: (model: string, attempts: () => number) => Promise<void>,
  model: Partial<Database["public"]["Tables"]["models"]["Insert"]> = {},
): Promise<void> {
  let attempt = 0;
  const server = createServer(async (request, response) => {
    const number = ++attempt;
    let body = "";
    request.setEncoding("utf8");
    try {
      for await (const chunk of request) body += chunk;
      await respond(response, { attempt: number, body });
    } catch {
      // The function has gone.
      response.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const service = serviceClient();
  const provider = `test_${crypto.randomUUID().slice(0, 8)}`;
  const { port } = server.address() as AddressInfo;
  const added = await service.from("model_providers").insert({
    name: provider,
    base_url: `http://127.0.0.1:${port}/v1`,
    secret_name: "PLAYED_API_KEY",
  });
  if (added.error) throw added.error;
  try {
    await withModel({ provider, ...model }, (name) => run(name, () => attempt));
  } finally {
    await service.from("model_providers").delete().eq("name", provider);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** A chunk that says something. */
export const say = (content: unknown) => ({ choices: [{ index: 0, delta: { content } }] });

/** The chunk that ends an answer. */
export const FINISH = { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] };

/** A chunk that reports usage. */
export const report = (prompt_tokens: number, completion_tokens: number, reasoning_tokens = 0) => ({
  choices: [],
  usage: { prompt_tokens, completion_tokens, completion_tokens_details: { reasoning_tokens } },
});

/** Chunks as a stream has them. */
export function toStream(chunks: unknown[]): string {
  return chunks.map((chunk) =>
    `data: ${typeof chunk === "string" ? chunk : JSON.stringify(chunk)}\n\n`
  ).join("");
}

/** Responds with a stream of bytes, or of texts, and closes it. */
export function stream(
  response: ServerResponse,
  pieces: Iterable<string | Uint8Array>,
  headers: Record<string, string> = {},
): void {
  response.writeHead(200, { "content-type": "text/event-stream", ...headers });
  for (const piece of pieces) response.write(piece);
  response.end();
}

/** More bytes than all buffers between a provider and the function hold. */
const MORE_THAN_BUFFERS = 24 * 1024 * 1024;

/** Begins a stream, and resolves when the function has read this of it, which comments behind it prove. */
export async function writeToReader(response: ServerResponse, text: string): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(text);
  const comment = `: ${"x".repeat(1024 * 1024)}\n\n`;
  for (let written = 0; written < MORE_THAN_BUFFERS; written += comment.length) {
    await new Promise<void>((resolve, reject) =>
      response.write(comment, (error) => error ? reject(error) : resolve())
    );
  }
}

/** Asks a provider, and returns what came of it, and how often it was asked. */
export async function asked(user: TestUser, respond: Respond, body: Record<string, unknown> = {}) {
  let result: { answer: Awaited<ReturnType<typeof ask>>; attempts: number } | undefined;
  await withOddProvider(respond, async (model, attempts) => {
    const answer = await ask(user, { message: "Hi", model, ...body });
    result = { answer, attempts: attempts() };
  }, { capabilities: ["tools"] });
  return result!;
}

/** Nothing is left of the answers of a user but their records, messages and entries. */
export async function assertSettled(user: TestUser): Promise<void> {
  const { open, drafts, parts, held, problems } = await booksOf(user);
  assert.deepEqual([open, drafts, parts, held, problems], [0, 0, 0, 0, 0]);
}

import assert from "node:assert/strict";
import { connect } from "node:net";

import { signUp, stack, test, type TestUser, until } from "../_testing/testing.ts";
import { booksOf, headersOf } from "./answers_testing.ts";
import { assertSettled, FINISH, report, withOddProvider } from "./odd_provider_testing.ts";

/** Words of the answer. As one event each, they are more than all sockets on the way hold. */
const WORDS = 200_000;

const EVENT = `data: ${JSON.stringify({ choices: [{ delta: { content: "a " } }] })}\n\n`;
const END = `data: ${JSON.stringify(FINISH)}\n\ndata: ${JSON.stringify(report(5, WORDS))}\n\n`;

/** Asks, and does not read until it is told to. Returns all that comes then. */
function askSlowly(user: TestUser, model: string): () => Promise<string> {
  const { hostname, port, host } = new URL(stack.url);
  const body = JSON.stringify({ message: "Hi", model });
  const headers = Object.entries({
    ...headersOf(user),
    host,
    connection: "close",
    "content-type": "application/json",
    "content-length": body.length,
  }).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const socket = connect(Number(port), hostname);
  socket.pause();
  socket.write(`POST /functions/v1/answers HTTP/1.1\r\n${headers}\r\n${body}`);
  return async () => {
    let text = "";
    socket.setEncoding("utf8");
    for await (const chunk of socket) text += chunk;
    return text;
  };
}

test("a client that does not read holds nothing up, and gets the rest in few events when it reads", async () => {
  const user = await signUp();
  await withOddProvider((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(EVENT.repeat(WORDS) + END);
  }, async (model) => {
    const read = askSlowly(user, model);
    await until(async () => (await booksOf(user)).answers[0]?.state === "complete");
    const text = await read();
    const deltas = [...text.matchAll(/"delta":"([^"]*)"/g)].map(([, delta]) => delta);
    assert.equal(deltas.join(""), "a ".repeat(WORDS));
    assert.match(text, /data: \[DONE\]/);
    // What waits in the function is joined, so that it takes no more room than the text.
    assert.ok(deltas.length < WORDS / 2, `${deltas.length} events`);
  }, { context_tokens: 1_000_000, output_tokens: 500_000 });
  await assertSettled(user);
});

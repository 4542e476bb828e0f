import assert from "node:assert/strict";

import { functionsUrl, signUp, test, until } from "../_testing/testing.ts";
import { booksOf, headersOf } from "./answers_testing.ts";
import { assertSettled, FINISH, report, withOddProvider } from "./odd_provider_testing.ts";

/** Words of the answer: as much as a message holds. As one event each, they are more than all sockets on the way hold. */
const WORDS = 70_000;

const EVENT = `data: ${JSON.stringify({ choices: [{ delta: { content: "a " } }] })}\n\n`;
const END = `data: ${JSON.stringify(FINISH)}\n\ndata: ${JSON.stringify(report(5, WORDS))}\n\n`;

test("a client that does not read holds nothing up, and gets the rest in few events when it reads", async () => {
  const user = await signUp();
  await withOddProvider((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(EVENT.repeat(WORDS) + END);
  }, async (model) => {
    const response = await fetch(`${functionsUrl}/answers`, {
      method: "POST",
      headers: { ...headersOf(user), "content-type": "application/json" },
      body: JSON.stringify({ message: "Hi", model }),
    });
    await until(async () => (await booksOf(user)).answers[0]?.state === "complete");
    const text = await response.text();
    const deltas = [...text.matchAll(/"delta":"([^"]*)"/g)].map(([, delta]) => delta);
    assert.ok(deltas.join("") === "a ".repeat(WORDS), `${deltas.length} events`);
    assert.match(text, /data: \[DONE\]/);
    // What waits in the function is joined, so that it takes no more room than the text.
    assert.ok(deltas.length < WORDS / 2, `${deltas.length} events`);
  }, { context_tokens: 1_000_000, output_tokens: 500_000 });
  await assertSettled(user);
});

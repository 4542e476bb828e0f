import assert from "node:assert/strict";

import { signUp, soak, test } from "../_testing/testing.ts";
import { type Books, booksOf, post, readEvents, stopToEnd, textIn } from "./answers_testing.ts";

/** Compares what an answer left behind with what it must. */
function check(books: Books, seen: string, context: string): void {
  const { answers: [answer], charged, open, parts, drafts, held, problems } = books;
  assert.deepEqual([open, parts, drafts, held, problems], [0, 0, 0, 0, 0], context);
  if (!answer) return assert.deepEqual([charged, seen], [0, ""], context);
  const said = ((answer.content ?? []) as { type: string; text?: string }[]).map(({ text = "" }) =>
    text
  ).join("");
  const number = (name: string) => Number(answer[name]);
  const expected = (number("input_tokens") - number("cached_input_tokens")) * 1000 +
    number("cached_input_tokens") * 100 + number("output_tokens") * 4000;
  assert.equal(charged, Math.round(expected / 100) / 10_000, context);
  assert.equal(charged, answer.credits, context);
  // No text without its price, and no price without its text.
  assert.equal(charged > 0, said !== "", context);
  // What the client has seen is what is there, or the beginning of it: all but what came in the last moment before a kill.
  assert.ok(
    said.startsWith(seen) || answer.state === "abandoned" && seen.startsWith(said),
    `${context}: ${seen} / ${said}`,
  );
  if (answer.state === "complete") {
    assert.equal(answer.usage_source, "provider", context);
    assert.equal(answer.status, "complete", context);
  } else if (said) assert.equal(answer.status, "aborted", context);
}

test("a stop at the moment when the answer ends leaves one ending, and one price", async () => {
  for (let round = 0; round < Math.ceil(soak); round++) await stopAtTheEnd();
});

/** Stops ten answers, each at another moment. */
async function stopAtTheEnd(): Promise<void> {
  const users = await Promise.all(Array.from({ length: 10 }, () => signUp()));
  await Promise.all(users.map(async (user, n) => {
    const response = await post(user, { id: "chat", message: "[words=10] [pace=2]" });
    let count = 0;
    let stopping: ReturnType<typeof stopToEnd> | undefined;
    const { events } = await readEvents(response, () => {
      if (++count >= 2 + n % 12) stopping ??= stopToEnd(user, "chat");
      return false;
    });
    const { answer } = await stopping!;
    assert.ok(["complete", "stopped"].includes(answer.state), answer.state);
    const books = await booksOf(user);
    assert.equal(books.answers[0]?.state, answer.state);
    check(books, textIn(events.map(({ chunk }) => chunk)), answer.state);
    assert.equal(events.at(-1)?.chunk.type, answer.state === "complete" ? "finish" : "abort");
  }));
}

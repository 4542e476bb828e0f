import assert from "node:assert/strict";

import { signUp, test } from "../_testing/testing.ts";
import { booksOf, post, readEvents, stopToEnd } from "./answers_testing.ts";
import {
  asked,
  FINISH,
  report,
  say,
  stream,
  toStream,
  withOddProvider,
  writeToReader,
} from "./odd_provider_testing.ts";

test("of several reports of usage, the last one counts, if it is of all that was said", async () => {
  const user = await signUp();
  const words = say("word ".repeat(50));
  const cases: [string, unknown[], [string, number | undefined]][] = [
    ["twice", [words, FINISH, report(5, 60), report(5, 61)], ["provider", 61]],
    ["with each word", [report(5, 1), words, report(5, 60), FINISH], ["provider", 60]],
    ["before the text", [report(5, 1), words, FINISH], ["counted", undefined]],
    ["before the text, with hidden thoughts", [report(5, 400, 340), words, FINISH], [
      "provider",
      400,
    ]],
    ["before the reason", [words, report(5, 60), FINISH], ["provider", 60]],
    ["negative at last", [words, FINISH, report(5, 60), report(5, -1)], ["provider", 60]],
  ];
  for (const [name, chunks, [source, tokens]] of cases) {
    const { answer: { body } } = await asked(
      user,
      (response) => stream(response, [toStream([...chunks, "[DONE]"])]),
    );
    const context = `${name}: ${JSON.stringify(body)}`;
    assert.equal(body.answer.usage_source, source, context);
    if (tokens) assert.equal(body.answer.output_tokens, tokens, context);
    else assert.ok(body.answer.output_tokens >= 40, context);
  }
});

test("a stop while the model thinks costs the thoughts, shown or reported; a stop before anything is free", async () => {
  const thoughts = { choices: [{ delta: { reasoning_content: "I think about it. ".repeat(20) } }] };
  const cases: [string, unknown[], number, boolean][] = [
    ["shown", [thoughts], 60, true],
    ["reported", [report(9, 500, 500)], 500, true],
    ["nothing", [{ choices: [{ delta: { role: "assistant", content: "" } }] }], 0, false],
  ];
  for (const [name, chunks, tokens, isPaid] of cases) {
    const user = await signUp();
    let arrived = () => {};
    const arrival = new Promise<void>((resolve) => arrived = resolve);
    await withOddProvider(async (response) => {
      await writeToReader(response, toStream(chunks));
      arrived();
    }, async (model) => {
      const response = await post(user, { id: "chat", message: "Hi", model });
      const reading = readEvents(response);
      await arrival;
      const { answer } = await stopToEnd(user, "chat");
      await reading;
      assert.equal(answer.state, "stopped", name);
      assert.ok(
        Number(answer.output_tokens) >= tokens && Number(answer.reasoning_tokens) >= tokens,
        `${name}: ${JSON.stringify(answer)}`,
      );
      const { charged, answers, held, open } = await booksOf(user);
      assert.deepEqual([charged > 0, held, open], [isPaid, 0, 0], name);
      assert.equal(charged, answers[0]?.credits, name);
    });
  }
});

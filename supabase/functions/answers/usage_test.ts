import assert from "node:assert/strict";

import { signUp, test } from "../_testing/testing.ts";
import { ask, booksOf, post, readEvents, stopToEnd } from "./answers_testing.ts";
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

test("reasoning and cached tokens count wherever the provider reports them", async () => {
  const user = await signUp();
  const OPENAI = {
    prompt_tokens: 32,
    completion_tokens: 103,
    total_tokens: 135,
    prompt_tokens_details: { cached_tokens: 6 },
    completion_tokens_details: { reasoning_tokens: 94 },
  };
  const { completion_tokens_details: _, ...untold } = OPENAI;
  const { prompt_tokens_details: __, ...uncached } = OPENAI;
  const cases: [string, Record<string, unknown>, number[]][] = [
    ["OpenAI", OPENAI, [32, 6, 103, 94]],
    ["xAI", { ...OPENAI, completion_tokens: 9 }, [32, 6, 103, 94]],
    ["Gemini", { ...untold, completion_tokens: 9 }, [32, 6, 103, 94]],
    ["DeepSeek", { ...uncached, prompt_cache_hit_tokens: 7 }, [32, 7, 103, 94]],
    ["Moonshot", { ...uncached, cached_tokens: 8 }, [32, 8, 103, 94]],
    ["an estimate of the reasoning", { ...OPENAI, completion_tokens: 90, total_tokens: 122 }, [
      32,
      6,
      90,
      94,
    ]],
    ["no total", { ...OPENAI, total_tokens: undefined }, [32, 6, 103, 94]],
    ["a total that is too small", { ...OPENAI, total_tokens: 3 }, [32, 6, 103, 94]],
    ["a total that is no number", { ...OPENAI, total_tokens: "135" }, [32, 6, 103, 94]],
    ["a negative number of its own", { ...uncached, prompt_cache_hit_tokens: -7 }, [
      32,
      0,
      103,
      94,
    ]],
  ];
  for (const [name, usage, expected] of cases) {
    await withOddProvider(
      (response) =>
        stream(response, [toStream([say("Hi"), FINISH, { choices: [], usage }, "[DONE]"])]),
      async (model) => {
        const { body: { answer } } = await ask(user, { message: "Hi", model });
        const told = [
          answer.input_tokens,
          answer.cached_input_tokens,
          answer.output_tokens,
          answer.reasoning_tokens,
        ];
        assert.deepEqual(told, expected, name);
        const [input = 0, cached = 0, output = 0, reasoning = 0] = expected;
        const thought = Math.min(reasoning, output);
        const price = (input - cached) * 1000 + cached * 100 + (output - thought) * 10_000 +
          thought * 20_000;
        assert.equal(answer.credits, Math.round(price / 100) / 10_000, name);
      },
      { input_price: 1000, cached_input_price: 100, output_price: 10_000, reasoning_price: 20_000 },
    );
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

import assert from "node:assert/strict";

import { serviceClient, signUp, test, withSettings } from "../_testing/testing.ts";
import { ask, booksOf, withModel } from "./answers_testing.ts";

test("a provider is asked again before its first word only, then its fallback", async () => {
  const user = await signUp();
  const fallback = await ask(user, { message: "[words=2]", model: "played-fallback" });
  assert.deepEqual([fallback.status, fallback.body.answer.attempts], [200, 4]);
  const busy = await ask(user, { message: "Hi", model: "played-busy" });
  assert.deepEqual([busy.status, busy.body.code], [503, "provider_unavailable"]);
  assert.ok(busy.headers.has("retry-after"));
  const refused = await ask(user, { message: "[refuse]" });
  assert.deepEqual([refused.status, refused.body.code], [422, "provider_refused"]);
  const { answers, held } = await booksOf(user);
  assert.deepEqual(
    answers.slice(1).map(({ attempts, credits, error }) => [attempts, credits, error]),
    [
      [3, 0, "provider_unavailable"],
      [1, 0, "provider_refused"],
    ],
  );
  assert.equal(held, 0);
  // Nothing was said: the question is there, and its answer is not.
  const { data } = await user.client.from("messages").select("role").eq(
    "conversation_id",
    answers[1]!.conversation_id as string,
  );
  assert.deepEqual(data, [{ role: "user" }]);

  const failed = await ask(user, { message: "[fail] [words=9]" });
  assert.deepEqual([failed.status, failed.body.answer.state, failed.body.answer.attempts], [
    200,
    "failed",
    1,
  ]);
  assert.equal(failed.body.message.content[1].text, "This answer comes from the");
  assert.ok(failed.body.answer.credits > 0);
  assert.equal(failed.body.answer.usage_source, "counted");
});

test("a provider that is silent, and an answer that takes too long, are ended", async () => {
  const user = await signUp();
  await withSettings({ "answers.idle_time": 3 }, async () => {
    const { body } = await ask(user, { message: "[stall] [words=9]" });
    assert.deepEqual([body.answer.state, body.answer.error], ["failed", "provider_silent"]);
    assert.equal(body.message.content[1].text, "This answer comes from the");
  });
  await withSettings({ "answers.total_time": 5 }, async () => {
    const { body } = await ask(user, { message: "[words=2000] [pace=50]" });
    assert.deepEqual([body.answer.state, body.answer.error], ["stopped", "time_limit"]);
    assert.ok(body.answer.credits > 0);
  });
});

test("usage that the provider does not report is counted, and the entry says so", async () => {
  const user = await signUp();
  const { body } = await ask(user, { message: "Hello [words=20]", model: "played-no-usage" });
  assert.equal(body.answer.usage_source, "counted");
  assert.ok(
    body.answer.output_tokens > 10 && body.answer.output_tokens < 60,
    String(body.answer.output_tokens),
  );
  assert.match(body.entry.description, /counted by the server/);
  assert.equal(body.entry.amount, -body.answer.credits);
});

test("prices are those in force when the answer begins, and history is cut to the model's context", async () => {
  const user = await signUp();
  await withModel(
    { context_tokens: 300, output_tokens: 50, input_price: 0, cached_input_price: 0 },
    async (model) => {
      let last;
      for (let n = 0; n < 8; n++) {
        last = await ask(user, {
          id: "long",
          message: `Number ${n} ${"word ".repeat(30)} [words=5]`,
          model,
        });
        assert.equal(last.status, 200, JSON.stringify(last.body));
      }
      assert.ok(last!.body.answer.input_tokens < 120, String(last!.body.answer.input_tokens));
      const exceeded = await ask(user, { id: "long", message: "word ".repeat(400), model });
      assert.deepEqual([exceeded.status, exceeded.body.code], [422, "context_exceeded"]);
      const service = serviceClient();
      const { data: old } = await service.from("models").select("*").eq("name", model).single();
      await service.from("models").insert({
        ...old!,
        valid_from: new Date().toISOString(),
        output_price: 8000,
      });
      const dearer = await ask(user, { id: "long", message: "[words=5]", model });
      assert.equal(dearer.body.answer.credits, 0.04);
    },
  );
});

test("requests that make no sense are refused, and change nothing", async () => {
  const user = await signUp();
  await withModel({ tiers: ["pro"] }, async (pro) => {
    await withModel({ capabilities: [] }, async (plain) => {
      const parameters = { tools: [{ name: "t" }] };
      const cases: [body: Record<string, unknown>, status: number, code: string][] = [
        [{}, 404, "conversation_not_found"],
        [{ message: "x", messages: [] }, 422, "invalid_request"],
        [{ id: "a", conversation_id: "b", message: "x" }, 422, "invalid_request"],
        [{ conversation_id: "none", message: "x" }, 404, "conversation_not_found"],
        [{ project_id: crypto.randomUUID(), message: "x" }, 404, "project_not_found"],
        [{ message: "x", model: "none" }, 422, "unknown_model"],
        [{ message: "x", model: pro }, 403, "model_not_allowed"],
        [{ message: "x", model: plain, parameters }, 422, "model_cannot"],
        [{ message: "x", parameters: { max_output_tokens: 0 } }, 422, "invalid_request"],
        [
          { messages: [{ role: "system", parts: [{ type: "text", text: "x" }] }] },
          422,
          "invalid_request",
        ],
        [{ messages: [{ role: "user" }] }, 422, "content_missing"],
        [
          { id: "new", messages: [{ id: "m", role: "assistant", parts: [{}] }] },
          404,
          "conversation_not_found",
        ],
        [{ trigger: "regenerate-message" }, 404, "conversation_not_found"],
      ];
      for (const [body, status, code] of cases) {
        const answer = await ask(user, body);
        assert.deepEqual(
          [answer.status, answer.body.code],
          [status, code],
          JSON.stringify(answer.body),
        );
      }
    });
  });
  const { body } = await ask(user, {
    id: "chat",
    message: "[tool] [words=1]",
    parameters: { tools: [{ name: "t" }] },
  });
  const message = { id: body.message.id, role: "assistant", parts: body.message.content };
  const missing = await ask(user, { id: "chat", messages: [message] });
  assert.deepEqual([missing.status, missing.body.code], [422, "tool_output_missing"]);
  const { answers } = await booksOf(user);
  assert.equal(answers.length, 1);
  assert.equal((await user.client.from("messages").select("id")).data?.length, 2);
});

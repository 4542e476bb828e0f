import assert from "node:assert/strict";

import { signUp, stack, test, type TestUser } from "../_testing/testing.ts";
import { ask, booksOf, post, readEvents, stop } from "./answers_testing.ts";
import { FINISH, HANG, say, type Script, usage, withProvider } from "./provider_testing.ts";

/** Asks, and stops when the first text is there. */
async function stopAtFirstToken(user: TestUser, body: unknown): Promise<void> {
  let stopping: Promise<Response> | undefined;
  await readEvents(await post(user, body), ({ id, chunk }) => {
    if (chunk.type === "text-delta") stopping ??= stop(user, id.split("/")[0]!);
    return false;
  });
  await (await stopping!).body?.cancel();
}

test("usage that cannot be true is not believed: the server counts", async () => {
  const user = await signUp();
  const unbelievable = [
    { prompt_tokens: -5, completion_tokens: 3 },
    { prompt_tokens: 1.5, completion_tokens: 3 },
    { prompt_tokens: "many", completion_tokens: 3 },
    { prompt_tokens: 5, completion_tokens: 0 },
    { prompt_tokens: 1e12, completion_tokens: 3 },
    { prompt_tokens: 5, completion_tokens: 9e8 },
    { prompt_tokens: 5, completion_tokens: 3, prompt_tokens_details: { cached_tokens: -1 } },
    { prompt_tokens: 5, completion_tokens: 3, prompt_tokens_details: "none" },
  ];
  for (const given of unbelievable) {
    const events = [say("Hello there"), FINISH, usage(given), "[DONE]"];
    await withProvider(() => events, async (model) => {
      const { status, body } = await ask(user, { message: "Hi", model });
      const context = JSON.stringify([given, body]);
      assert.equal(status, 200, context);
      assert.deepEqual(
        [body.answer.state, body.answer.usage_source],
        ["complete", "counted"],
        context,
      );
      assert.ok(body.answer.output_tokens >= 1 && body.answer.output_tokens < 10, context);
      assert.ok(body.entry.amount < 0, context);
    });
  }
});

test("a stop after the first word costs what was said, whatever the provider had reported", async () => {
  const user = await signUp();
  const events = [usage({ prompt_tokens: 5, completion_tokens: 0 }), say("word ".repeat(50)), HANG];
  await withProvider(() => events, async (model) => {
    await stopAtFirstToken(user, { message: "Hi", model });
    const { answers: [answer], charged } = await booksOf(user);
    assert.deepEqual([answer?.state, answer?.usage_source], ["stopped", "counted"]);
    assert.ok(Number(answer?.output_tokens) >= 40, String(answer?.output_tokens));
    assert.equal(charged, answer?.credits);
  });
});

test("a stop after the first word costs the tools that the model was told", async () => {
  const user = await signUp();
  const description = "a tool that is described at great length ".repeat(50);
  const tools = [{ name: "one", description }, { name: "two", description }];
  await withProvider(() => [say("word "), HANG], async (model) => {
    await stopAtFirstToken(user, { message: "Hi", model, parameters: { tools } });
    const { answers: [answer] } = await booksOf(user);
    assert.equal(answer?.state, "stopped");
    assert.ok(Number(answer?.input_tokens) > 500, String(answer?.input_tokens));
  });
});

test("members that are objects where texts are expected do no harm", async () => {
  const user = await signUp();
  const odd = { toString: 1, valueOf: 1 };
  const parts = [
    { type: "text", text: "Hello [words=2]" },
    { type: "file", mediaType: odd, url: "data:," },
    { type: "text", text: odd },
    { type: "reasoning", text: odd },
    { type: "tool-x", toolCallId: odd, state: odd, errorText: odd },
  ];
  const body = { message: { role: "user", parts } };
  const first = await ask(user, { id: "odd", ...body });
  assert.equal(first.status, 200, JSON.stringify(first.body));
  // What apps have saved as answers is read, too.
  const { data: conversation } = await user.client.from("conversations").select("id").single();
  const content = [
    { type: "reasoning", text: odd },
    { type: "tool-x", toolCallId: odd, state: "output-error", input: odd, errorText: odd },
    { type: "tool-y", toolCallId: "y", state: "input-available", input: {} },
  ];
  const saved = await user.client.from("messages")
    .insert({ conversation_id: conversation!.id, role: "assistant", content }).select("id")
    .single();
  assert.equal(saved.error, null);
  const next = await ask(user, {
    id: "odd",
    message: {
      id: saved.data!.id,
      role: "assistant",
      parts: [{ type: "tool-y", toolCallId: "y", state: "output-error", errorText: odd }],
    },
  });
  assert.equal(next.status, 200, JSON.stringify(next.body));
  const last = await ask(user, { id: "odd", message: "Again [words=2]" });
  assert.equal(last.status, 200, JSON.stringify(last.body));
  const ephemeral = await ask(
    user,
    {
      messages: [{ role: "assistant", content }, { role: "user", parts }],
    },
    {},
    "/ephemeral",
  );
  assert.equal(ephemeral.status, 200, JSON.stringify(ephemeral.body));
  const { open, drafts } = await booksOf(user);
  assert.deepEqual([open, drafts], [0, 0]);
});

test("a model is given images by data URLs, https and Storage only: it must not look into its network", async () => {
  const user = await signUp();
  const given: unknown[] = [];
  const script: Script = ({ messages }) => {
    given.push(messages.at(-1));
    return [say("Seen"), FINISH, "[DONE]"];
  };
  const good = [
    "data:image/png;base64,AAAA",
    "https://example.com/a.png",
    "https://93.184.215.14/a",
  ];
  const bad = [
    "http://127.0.0.1:1/",
    "http://169.254.169.254/latest/meta-data",
    "file:///etc/passwd",
    "../other/a.png",
    "javascript:1",
    "data:text/html,x",
    "data:image/svg+xml,<svg/>",
    // Names and addresses inside of a network, however they are written.
    "https://127.0.0.1/a.png",
    "https://2130706433/a.png",
    "https://0x7f.1/a.png",
    "https://10.1.2.3/a.png",
    "https://192.168.0.1/a.png",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/a.png",
    "https://0.0.0.0/a.png",
    "https://[::1]/a.png",
    "https://[::ffff:10.0.0.1]/a.png",
    "https://[fe80::1]/a.png",
    "https://[fd00::1]/a.png",
    "https://localhost/a.png",
    "https://metadata/a.png",
    "https://metadata.google.internal/a.png",
    "https://printer.local./a.png",
    `${stack.url}@example.com/a.png`,
    `${stack.url}.example.com/a.png`,
  ];
  const message = (url: string) => ({
    role: "user",
    parts: [{ type: "text", text: "Look" }, { type: "file", mediaType: "image/png", url }],
  });
  await withProvider(script, async (model) => {
    for (const url of good) {
      const { status, body } = await ask(user, { message: message(url), model });
      assert.equal(status, 200, JSON.stringify(body));
      assert.ok(JSON.stringify(given.at(-1)).includes(JSON.stringify(url)), url);
    }
    given.length = 0;
    for (const url of bad) {
      for (
        const [body, path] of [[{ message: message(url) }, ""], [
          { messages: [message(url)] },
          "/ephemeral",
        ]] as const
      ) {
        const refused = await ask(user, { ...body, model }, {}, path);
        assert.deepEqual([refused.status, refused.body.code], [422, "invalid_request"], url);
      }
    }
    assert.deepEqual(given, []);
    // What was saved in another way is left out.
    const { data } = await user.client.from("conversations").insert({
      user_id: user.id,
      title: "x",
    })
      .select("id").single();
    const saved = await user.client.from("messages").insert({
      conversation_id: data!.id,
      role: "user",
      content: message("http://127.0.0.1:1/").parts,
    });
    assert.equal(saved.error, null);
    const { status } = await ask(user, {
      conversation_id: data!.id,
      trigger: "regenerate-message",
      model,
    });
    assert.equal(status, 200);
    assert.deepEqual(given, [{ role: "user", content: "Look" }]);
  });
});

test("requests that nobody sends by mistake get a clear error", async () => {
  const user = await signUp();
  const nested = (depth: number) => `${'{"content":'.repeat(depth)}1${"}".repeat(depth)}`;
  const deep = JSON.parse(nested(20_000));
  const bodies: [string, unknown, string?][] = [
    ["NUL in the model", { message: "Hi", model: "a\0b" }],
    ["surrogate in the model", { message: "Hi", model: "\ud800" }],
    ["deep content", { message: { role: "user", content: deep } }],
    ["deep metadata", { message: { role: "user", content: "x", metadata: { deep } } }],
    ["deep tool", { message: "x", parameters: { tools: [{ name: "a", parameters: { deep } }] } }],
    ["NUL in text", { message: "a\0b [words=1]" }],
    ["surrogate in text", { message: "a\ud800b [words=1]" }],
    ["system", { message: { role: "system", content: "x" } }],
    ["system in messages", {
      messages: [{ role: "system", parts: [{ type: "text", text: "x" }] }],
    }],
    ["no parts", { messages: [{ role: "user", parts: [] }] }],
    ["foreign project", { message: "x", project_id: crypto.randomUUID() }],
    ["seed", { message: "x [words=1]", parameters: { seed: 2 ** 53 } }],
    ["deep ephemeral", { messages: [{ role: "user", content: deep }] }, "/ephemeral"],
    ["NUL ephemeral", { messages: [{ role: "user", content: "a\0\ud800" }] }, "/ephemeral"],
    ["null ephemeral", { messages: [{ role: "user" }] }, "/ephemeral"],
  ];
  for (const [name, body, path] of bodies) {
    const response = await ask(user, body, {}, path);
    assert.ok(response.status < 500, `${name}: ${JSON.stringify(response.body)}`);
  }
  const { open, drafts } = await booksOf(user);
  assert.deepEqual([open, drafts], [0, 0]);
});

test("providers that answer with rubbish fail the answer, which costs nothing", async () => {
  const user = await signUp();
  const whole = (body: string, type: string) => () =>
    new Response(body, { headers: { "content-type": type } });
  const scripts: [string, Script][] = [
    ["html", whole("<html>Sorry</html>", "text/html")],
    ["error", whole('{"error":{"message":"Hi"}}', "application/json")],
    ["nothing", () => []],
    ["not JSON", () => ["{oops", "[DONE]"]],
    ["no object", () => ["1", "null", '"x"', "[]"]],
  ];
  for (const [name, script] of scripts) {
    await withProvider(script, async (model) => {
      const { status, body } = await ask(user, { message: "Hi", model });
      assert.deepEqual(
        [status, body.code],
        [503, "provider_interrupted"],
        `${name} ${JSON.stringify(body)}`,
      );
    });
  }
  const texts = ["x", "東", "\u0001"].map((character) => character.repeat(600_000));
  // Cut in proportion, this one leaves room.
  texts.push("x".repeat(600_000) + "\u0001".repeat(60_000));
  for (const text of texts) {
    const lines = [say(text), say("more"), FINISH, "[DONE]"];
    await withProvider(() => lines, async (model) => {
      const { status, body } = await ask(user, { message: "Hi", model });
      assert.equal(status, 200, JSON.stringify(body).slice(0, 500));
      assert.deepEqual([body.answer.state, body.answer.finish_reason], ["complete", "length"]);
      const size = new TextEncoder().encode(JSON.stringify(body.message.content)).length;
      assert.ok(size > 100_000 && size < 262_144, `${size} bytes`);
      assert.ok(!body.message.content.at(-1).text.endsWith("more"));
    }, { output_price: 0 });
  }
  const call = (id: string) => ({
    choices: [{
      delta: { tool_calls: [{ index: 0, id, function: { name: "t", arguments: "{}" } }] },
    }],
  });
  await withProvider(() => [call("a\0\ud800"), FINISH, "[DONE]"], async (model) => {
    const { status, body } = await ask(user, { message: "Hi", model });
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.message.content[1].toolCallId, "a\ufffd\ufffd");
  });
  const { open, drafts, parts, problems } = await booksOf(user);
  assert.deepEqual([open, drafts, parts, problems], [0, 0, 0, 0]);
});

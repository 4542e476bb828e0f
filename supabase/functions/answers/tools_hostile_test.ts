import assert from "node:assert/strict";

import { signUp, test } from "../_testing/testing.ts";
import { ask, booksOf, Chat, plain, post, readChunks } from "./answers_testing.ts";
import { FINISH, say, usage, withProvider } from "./provider_testing.ts";

const search = { server_tools: ["search_messages"] };

type Call = [id: string, name: string, input: string];

/** An event with calls of tools. */
const calls = (...list: Call[]) => ({
  choices: [{
    delta: {
      tool_calls: list.map(([id, name, input], index) => ({
        index,
        id,
        function: { name, arguments: input },
      })),
    },
  }],
});

/** The calls of a message. */
const callsIn = (parts: unknown) =>
  (parts as { type: string; toolCallId: string; state: string; errorText?: string }[])
    .filter(({ type }) => type.startsWith("tool-"));

test("calls to which a model gives the same id stay apart, in a step and between steps", async () => {
  const user = await signUp();
  const twice = calls(["c", "search_messages", '{"query":"x"}'], [
    "c",
    "search_messages",
    '{"query":"y"}',
  ]);
  const told: { tool_calls?: { id: string }[]; tool_call_id?: string }[][] = [];
  await withProvider(({ messages }) => {
    told.push(messages as typeof told[number]);
    return told.length < 3 ? [twice, FINISH, "[DONE]"] : [say("Done"), FINISH, "[DONE]"];
  }, async (model) => {
    const chat = new Chat(user, {});
    await chat.sendMessage({ text: "Hi" }, { body: { model, parameters: search } });
    assert.equal(chat.status, "ready", String(chat.error));
    const { answers: [answer] } = await booksOf(user);
    const ids = callsIn(answer!.content).map(({ toolCallId }) => toolCallId);
    assert.equal(new Set(ids).size, 4, JSON.stringify(ids));
    assert.equal(ids[0], "c", "one that is new is kept");
    assert.deepEqual(answer!.content, plain(chat.lastMessage?.parts));
    const last = told.at(-1)!;
    assert.deepEqual(last.flatMap(({ tool_calls = [] }) => tool_calls.map(({ id }) => id)), ids);
    assert.deepEqual(last.flatMap(({ tool_call_id }) => tool_call_id ?? []), ids);
  });
});

test("a tool of the server that was not offered is not run", async () => {
  const user = await signUp();
  let asked = 0;
  const script = () =>
    ++asked === 1
      ? [
        calls(
          ["a", "search_messages", '{"query":"x"}'],
          ["b", "__proto__", '{"__proto__":{"query":"x"}}'],
          ["c", "constructor", "{}"],
        ),
        FINISH,
        "[DONE]",
      ]
      : [say("Done"), FINISH, "[DONE]"];
  await withProvider(script, async (model) => {
    const parameters = { server_tools: ["rename_conversation"] };
    const { status, body } = await ask(user, { message: "Hi", model, parameters });
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.answer.state, "complete");
    assert.deepEqual(callsIn(body.message.content).map(({ errorText }) => errorText), [
      'There is no tool "search_messages"',
      'There is no tool "__proto__"',
      'There is no tool "constructor"',
    ]);
  });
});

test("inputs that cannot be stored are told to the model, and the answer ends", async () => {
  const user = await signUp();
  const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
  const deep = `{"query":${nested(128)}}`;
  const half = '{"query":"\\ud800"}';
  for (const [name, input] of [["search_messages", deep], ["rename_conversation", half]] as const) {
    let asked = 0;
    const script = () =>
      ++asked === 1
        ? [calls(["a", name, input]), FINISH, "[DONE]"]
        : [say("Done"), FINISH, "[DONE]"];
    await withProvider(script, async (model) => {
      const parameters = { server_tools: ["search_messages", "rename_conversation"] };
      const chunks = await readChunks(await post(user, { message: "Hi", model, parameters }));
      const types = chunks.map(({ type }) => type);
      assert.ok(types.includes("tool-input-error"), types.join());
      assert.ok(!types.includes("tool-approval-request"), types.join());
      const { answers, open, drafts, problems } = await booksOf(user);
      const answer = answers.at(-1)!;
      assert.deepEqual([answer.state, answer.finish_reason], ["complete", "stop"], name);
      assert.deepEqual(callsIn(answer.content).map(({ state }) => state), ["output-error"]);
      assert.deepEqual([open, drafts, problems], [0, 0, 0]);
    });
  }
  // Those of the client's tools, too.
  const inputs: [string, string][] = [["a", deep], ["b", nested(128)], ["c", nested(50_000)]];
  const events = [
    calls(...inputs.map(([id, input]) => [id, "t", input] as Call)),
    FINISH,
    "[DONE]",
  ];
  await withProvider(() => events, async (model) => {
    const { status, body } = await ask(user, {
      message: "Hi",
      model,
      parameters: { tools: [{ name: "t" }] },
    });
    assert.equal(status, 200, JSON.stringify(body).slice(0, 500));
    assert.deepEqual(
      callsIn(body.message.content).map(({ state }) => state),
      ["output-error", "input-available", "output-error"],
    );
  });
});

test("numbers in inputs are the same in the stream and in the message, or the call is none", async () => {
  const user = await signUp();
  const kept = [
    "-0",
    "1e99",
    "-1E-99",
    "6.62607015e-34",
    "12345678901234567890",
    "9".repeat(99),
    "0.1234567890123456789",
    '"1e400 \\" 1e400"',
  ];
  const refused = ["1e400", "[-1e400]", '{"a":1E+0400}', "1e-400", "1e100000", "9".repeat(400)];
  const inputs = [...kept, ...refused, `[${Array(1_000).fill("1e99")}]`, `["\\"",1e400]`];
  for (const input of inputs) {
    const events = [calls(["a", "t", `{"n":${input}}`]), FINISH, "[DONE]"];
    await withProvider(() => events, async (model) => {
      const parameters = { tools: [{ name: "t" }] };
      const chunks = await readChunks(await post(user, { message: "Hi", model, parameters }));
      const { answers } = await booksOf(user);
      const [call] = callsIn(answers.at(-1)!.content) as unknown as Record<string, unknown>[];
      const chunk = chunks.find(({ type }) => /^tool-input-(available|error)$/.test(type))!;
      assert.deepEqual(
        [chunk.type, plain((chunk as { input?: unknown }).input)],
        call!.state === "input-available"
          ? ["tool-input-available", plain(call!.input)]
          : ["tool-input-error", call!.rawInput],
        input.slice(0, 50),
      );
      if (kept.includes(input)) assert.equal(call!.state, "input-available", input);
      if (refused.includes(input)) assert.equal(call!.state, "output-error", input);
    });
  }
});

test("escapes in inputs are stored wherever the provider cuts them, and texts about escapes stay", async () => {
  const user = await signUp();
  const input = String.raw`{"a":"x\u0000y","b":"\\u0000","c":"\\\u0000"}`;
  const pieces = [input, "", ...input].map((text, index) =>
    index === 0 ? calls(["whole", "t", text]) : {
      choices: [{
        delta: {
          tool_calls: [{
            index: 1,
            ...index === 1 && { id: "cut" },
            function: { ...index === 1 && { name: "t" }, arguments: text },
          }],
        },
      }],
    }
  );
  await withProvider(() => [...pieces, FINISH, "[DONE]"], async (model) => {
    const parameters = { tools: [{ name: "t" }] };
    const { body } = await ask(user, { message: "Hi", model, parameters });
    const expected = { a: "x\ufffdy", b: "\\u0000", c: "\\\ufffd" };
    assert.deepEqual(
      body.message.content.slice(1).map(({ input }: { input: unknown }) => input),
      [expected, expected],
      JSON.stringify(body.message.content),
    );
  });
});

test("a step that fails before its first word costs nothing, and those before it are paid", async () => {
  const user = await signUp();
  let asked = 0;
  const script = () =>
    ++asked === 1
      ? [
        calls(["a", "search_messages", '{"query":"x"}']),
        FINISH,
        usage({ prompt_tokens: 50, completion_tokens: 10 }),
        "[DONE]",
      ]
      : new Response("Sorry", { status: 400 });
  await withProvider(script, async (model) => {
    const { body } = await ask(user, { message: "Hi", model, parameters: search });
    assert.deepEqual([body.answer.state, body.answer.error], ["failed", "provider_refused"]);
    const { input_tokens, output_tokens, usage_source } = body.answer;
    assert.deepEqual([input_tokens, output_tokens, usage_source], [50, 10, "provider"]);
  });
});

test("a model that calls 50 tools in a step gets 16 run, and the answer ends", async () => {
  const user = await signUp();
  let asked = 0;
  const many = Array.from(
    { length: 50 },
    (_, n) => [`c${n}`, "search_messages", '{"query":"x"}'] as Call,
  );
  const script = () =>
    ++asked === 1 ? [calls(...many), FINISH, "[DONE]"] : [say("Done"), FINISH, "[DONE]"];
  await withProvider(script, async (model) => {
    const { status, body } = await ask(user, { message: "Hi", model, parameters: search });
    assert.equal(status, 200, JSON.stringify(body).slice(0, 500));
    const states = callsIn(body.message.content).map(({ state }) => state);
    assert.equal(states.length, 50);
    assert.equal(states.filter((state) => state === "output-available").length, 16);
    const { open, held, problems } = await booksOf(user);
    assert.deepEqual([open, held, problems], [0, 0, 0]);
  });
});

test("calls without end, and inputs that come while another is written, do not fill more than a message", async () => {
  const user = await signUp();
  const call = (index: number, text: string, id?: string) => ({
    choices: [{
      delta: {
        tool_calls: [{ index, ...id && { id }, function: { name: "t", arguments: text } }],
      },
    }],
  });
  const waiting = [
    call(0, "{", "a"),
    call(1, '{"x":"', "b"),
    ...Array.from({ length: 50 }, () => call(1, "y".repeat(100_000))),
    call(1, '"}'),
    call(0, "}"),
  ];
  const many = Array.from({ length: 20_000 }, (_, n) => call(n, "{}", `c${n}`));
  for (const events of [waiting, many]) {
    await withProvider(() => [...events, FINISH, "[DONE]"], async (model) => {
      const parameters = { tools: [{ name: "t" }] };
      const { status, body } = await ask(user, { message: "Hi", model, parameters });
      assert.equal(status, 200, JSON.stringify(body).slice(0, 500));
      assert.deepEqual([body.answer.state, body.answer.finish_reason], ["complete", "length"]);
      const { length } = JSON.stringify(body.message.content);
      assert.ok(length < 262_144, String(length));
    });
  }
  const { open, held, drafts, problems } = await booksOf(user);
  assert.deepEqual([open, held, drafts, problems], [0, 0, 0, 0]);
});

test("sources and images without end do not fill the message", async () => {
  const user = await signUp();
  const cite = (url: string) => ({
    choices: [{ delta: { annotations: [{ url_citation: { url, title: "t" } }] } }],
  });
  const image = { choices: [{ delta: { images: [{ image_url: { url: "data:x" } }] } }] };
  const events = [
    say("Look"),
    cite(`https://example.com/${"x".repeat(1_000_000)}`),
    cite("https://example.com/short"),
    cite("javascript:alert(1)"),
    ...Array(500).fill(image),
    FINISH,
    "[DONE]",
  ];
  await withProvider(() => events, async (model) => {
    const { status, body } = await ask(user, { message: "Hi", model });
    assert.equal(status, 200, JSON.stringify(body).slice(0, 500));
    const types = body.message.content.map(({ type }: { type: string }) => type);
    assert.equal(types.filter((type: string) => type === "source-url").length, 1);
    assert.equal(types.filter((type: string) => type === "data-file-refused").length, 5);
  });
});

test("a text about escapes is shown and stored as the model wrote it", async () => {
  const user = await signUp();
  const text = String.raw`NUL is "\u0000" in JSON`;
  await withProvider(() => [say(text), FINISH, "[DONE]"], async (model) => {
    const { body } = await ask(user, { message: "Hi", model });
    assert.equal(body.message.content.at(-1).text, text);
  });
});

import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";

import {
  lastAssistantMessageIsCompleteWithApprovalResponses,
  lastAssistantMessageIsCompleteWithToolCalls,
} from "ai";

import { serviceClient, signUp, test, type TestUser } from "../_testing/testing.ts";
import { ask, booksOf, Chat, plain, textOf } from "./answers_testing.ts";
import { FINISH, say, type Script, withProvider } from "./provider_testing.ts";

/** What Gemini sends with a call, and refuses the next request without. */
const SIGNED = { google: { thought_signature: "EoYCCoMCARFNMg/vBOfJ+==" } };

/** What DeepSeek and Moonshot want back. */
const THOUGHTS = ["I need ", "the weather. 😀"];

/** What OpenRouter sends of the reasoning and of the signatures in it, and wants back. */
const DETAILS = [
  { type: "reasoning.summary", summary: "Weather.", format: "x", index: 0 },
  { type: "reasoning.text", text: THOUGHTS.join(""), signature: "s1", format: "x", index: 1 },
  { type: "reasoning.text", text: "Second", signature: null, format: "x", index: 2 },
  { type: "reasoning.encrypted", data: "EoYCCo", id: "a", format: "google-gemini-v1", index: 3 },
];

type Told = {
  role: string;
  reasoning_details?: unknown;
  reasoning_content?: string;
  reasoning?: string;
  tool_calls?: Record<string, unknown>[];
};

const think = (field: string) =>
  THOUGHTS.map((text) => ({ choices: [{ delta: { [field]: text } }] }));

/** An event with calls, of which the first is signed, as Gemini sends parallel calls. */
const calls = (name: string, ids = ["a", "b"]) => ({
  choices: [{
    delta: {
      tool_calls: ids.map((id, index) => ({
        index,
        id: `${id}${crypto.randomUUID().slice(0, 8)}`,
        type: "function",
        function: { name, arguments: '{"query":"x"}' },
        ...index === 0 && { extra_content: SIGNED },
      })),
    },
  }],
});

/** A provider that does as OpenRouter. */
function gateway(name: string, order: readonly string[]): Script {
  const [summary, first, second, encrypted] = DETAILS;
  const detail = (...reasoning_details: unknown[]) => ({
    choices: [{ delta: { reasoning: order[0] === "details" ? "so" : null, reasoning_details } }],
  });
  const { signature, ...words } = first!;
  const said: Record<string, unknown[]> = {
    details: [
      detail({ ...summary, summary: "Wea" }),
      detail({ ...summary, summary: "ther." }, { ...words, text: THOUGHTS[0], signature: null }),
      detail({ ...words, text: THOUGHTS[1] }),
      detail({ type: "reasoning.text", signature, index: 1 }, second),
      detail({ ...second, text: null }, encrypted, "nothing", null, { data: "\0" }),
    ],
    call: [calls(name, ["a"])],
    calls: [calls(name)],
  };
  return (request) => {
    const messages = request.messages as Told[];
    const isComplete = messages.filter(({ tool_calls }) => tool_calls).every((message) =>
      isDeepStrictEqual(message.reasoning_details, DETAILS) &&
      message.reasoning === undefined
    );
    if (!isComplete) return Response.json({ error: { message: "missing" } }, { status: 400 });
    return messages.at(-1)?.role === "tool"
      ? [say("Done"), FINISH, "[DONE]"]
      : [...order.flatMap((what) => said[what]!), FINISH, "[DONE]"];
  };
}

/** A provider that refuses every request in which an assistant that has called tools is not as it was. */
function strict(name: string, field = "reasoning_content", told: Told[][] = []): Script {
  return (request) => {
    const messages = request.messages as Told[];
    told.push(messages);
    const isComplete = messages.filter(({ role }) => role === "assistant").every((message) => {
      const { tool_calls = [] } = message;
      const signatures = tool_calls.map(({ extra_content }) => extra_content);
      return tool_calls.length === 0 ||
        message[field as "reasoning"] === THOUGHTS.join("") &&
          isDeepStrictEqual(signatures, [SIGNED, undefined]);
    });
    if (!isComplete) return Response.json({ error: { message: "missing" } }, { status: 400 });
    return messages.at(-1)?.role === "tool"
      ? [say("Done"), FINISH, "[DONE]"]
      : [...think(field), calls(name), FINISH, "[DONE]"];
  };
}

type Options = { body: Record<string, unknown> };

/** A chat whose client runs a tool, and goes on by itself when its calls have outputs or approvals. */
function chatWith(user: TestUser, tool: string, path: string, options: Options): Chat {
  const chat: Chat = new Chat(user, {
    sendAutomaticallyWhen: (state) =>
      lastAssistantMessageIsCompleteWithToolCalls(state) ||
      lastAssistantMessageIsCompleteWithApprovalResponses(state),
    onToolCall: ({ toolCall: { toolCallId, providerExecuted } }) => {
      if (!providerExecuted) chat.addToolOutput({ tool, toolCallId, output: "blue", options });
    },
  }, path);
  return chat;
}

test("a provider is given back its reasoning and signatures with the calls of the server's tools", async () => {
  const user = await signUp();
  for (const field of ["reasoning_content", "reasoning"]) {
    await withProvider(strict("search_messages", field), async (model) => {
      const chat = new Chat(user, {});
      const body = { model, parameters: { server_tools: ["search_messages"] } };
      await chat.sendMessage({ text: "Hi" }, { body });
      assert.equal(textOf(chat.lastMessage), "Done", String(chat.error));
      // Of an earlier answer, too, which is read from the database.
      await chat.sendMessage({ text: "And now?" }, { body });
      assert.equal(textOf(chat.lastMessage), "Done", String(chat.error));
      const { answers } = await booksOf(user);
      // The client keeps the id of the chunks, too.
      const parts = chat.lastMessage!.parts.map((part) => ({ ...part, id: undefined }));
      assert.deepEqual(answers.at(-1)?.content, plain(parts));
    });
  }
});

test("a provider is given them back when the client has run its tools, or the user has approved", async () => {
  const user = await signUp();
  const ways: [string, string, Record<string, unknown>][] = [
    ["weather", "", { tools: [{ name: "weather" }] }],
    ["weather", "/ephemeral", { tools: [{ name: "weather" }] }],
    ["rename_conversation", "", { server_tools: ["rename_conversation"] }],
  ];
  for (const [tool, path, parameters] of ways) {
    await withProvider(strict(tool), async (model) => {
      const options = { body: { model, parameters } };
      const chat = chatWith(user, tool, path, options);
      for (const text of ["Hi", "And now?"]) {
        await chat.sendMessage({ text }, options);
        for (const part of chat.lastMessage!.parts) {
          const { approval } = part as { approval?: { id: string } };
          if (approval) {
            await chat.addToolApprovalResponse({ id: approval.id, approved: true, options });
          }
        }
        assert.equal(chat.status, "ready", String(chat.error));
        assert.equal(textOf(chat.lastMessage), "Done", `${path} ${tool}`);
      }
    });
  }
});

test("details of the reasoning are given back, whether they come before the calls or after", async () => {
  const user = await signUp();
  for (const order of [["details", "calls"], ["calls", "details"], ["call", "details"]]) {
    for (
      const [tool, path, parameters] of [
        ["search_messages", "", { server_tools: ["search_messages"] }],
        ["weather", "", { tools: [{ name: "weather" }] }],
        ["weather", "/ephemeral", { tools: [{ name: "weather" }] }],
      ] as const
    ) {
      await withProvider(gateway(tool, order), async (model) => {
        const options = { body: { model, parameters } };
        const chat = chatWith(user, tool, path, options);
        for (const text of ["Hi", "And now?"]) {
          await chat.sendMessage({ text }, options);
          assert.equal(chat.status, "ready", String(chat.error));
          assert.equal(textOf(chat.lastMessage), "Done", `${order} ${path} ${tool}`);
        }
      });
    }
  }
});

test("another provider gets nothing of that, and no provider the reasoning of answers without calls", async () => {
  const user = await signUp();
  const id = "chat";
  await withProvider(strict("weather"), async (model) => {
    const chat: Chat = new Chat(user, { id });
    await chat.sendMessage({ text: "Hi" }, {
      body: { model, parameters: { tools: [{ name: "weather" }] } },
    });
  });
  const told: Told[][] = [];
  await withProvider(({ messages }) => {
    told.push(messages as Told[]);
    return [...think("reasoning_content"), say("Done"), FINISH, "[DONE]"];
  }, async (model) => {
    for (const message of ["And now?", "And then?"]) {
      const { body } = await ask(user, { id, message, model });
      assert.equal(body.answer.state, "complete", JSON.stringify(body));
    }
  });
  const assistants = told.flat().filter(({ role }) => role === "assistant");
  assert.equal(assistants.length, 3);
  for (const { tool_calls = [], ...message } of assistants) {
    assert.deepEqual(Object.keys(message).sort(), ["content", "role"]);
    for (const call of tool_calls) {
      assert.deepEqual(Object.keys(call).sort(), ["function", "id", "type"]);
    }
  }
});

test("a provider that takes no stream_options is not sent any", async () => {
  const user = await signUp();
  const told: Record<string, unknown>[] = [];
  const script: Script = (request) => {
    told.push(request);
    return [say("Done"), FINISH, "[DONE]"];
  };
  await withProvider(script, async (model) => {
    await ask(user, { message: "Hi", model });
    const service = serviceClient();
    const { data } = await service.from("models").select("provider").eq("name", model).single();
    const { error } = await service.from("model_providers").update({ stream_options: false })
      .eq("name", data!.provider);
    assert.equal(error, null);
    const { body } = await ask(user, { message: "Hi", model });
    assert.equal(body.answer.state, "complete");
    assert.deepEqual(told.map(({ stream_options }) => stream_options), [
      { include_usage: true },
      undefined,
    ]);
    assert.ok(!("stream_options" in told[1]!));
  });
});

test("what comes with a call and cannot be kept is left out, whenever it comes", async () => {
  const user = await signUp();
  const nested = JSON.parse(`${'{"a":'.repeat(200)}1${"}".repeat(200)}`);
  const odd: [unknown, boolean][] = [
    [SIGNED, true],
    [{ "\u00e9": [1, null, { deep: "\n" }] }, true],
    [{}, true],
    [JSON.parse('{"__proto__":{"x":1}}'), false],
    [{ a: { constructor: { prototype: 1 } } }, false],
    [{ a: "\0" }, false],
    [{ "\0": 1 }, false],
    [{ a: "\ud800" }, false],
    [{ a: "x".repeat(100_000) }, false],
    [nested, false],
    [[SIGNED], false],
    ["text", false],
    [5, false],
    [null, false],
  ];
  for (const [index, [extra_content, isKept]] of odd.entries()) {
    const event = (call: Record<string, unknown>) => ({
      choices: [{ delta: { tool_calls: [{ index: 0, ...call }] } }],
    });
    const called = { id: "c", function: { name: "weather", arguments: "" } };
    const ways: [string, unknown[]][] = [
      ["at once", [event({ ...called, extra_content })]],
      ["with the input", [event(called), event({ extra_content, function: { arguments: "{}" } })]],
      ["after the input", [
        event({ ...called, function: { name: "weather", arguments: "{}" } }),
        event({ extra_content }),
      ]],
      ["again", [event({ ...called, extra_content }), event({ extra_content: { other: {} } })]],
    ];
    // Each way with one that is kept; one way with all.
    for (const [way, events] of index === 0 ? ways : ways.slice(-1)) {
      await withProvider(() => [...events, FINISH, "[DONE]"], async (model) => {
        const chat = new Chat(user, {});
        const parameters = { tools: [{ name: "weather" }] };
        await chat.sendMessage({ text: "Hi" }, { body: { model, parameters } });
        assert.equal(chat.status, "ready", String(chat.error));
        const { answers, problems } = await booksOf(user);
        const [answer] = answers.slice(-1);
        assert.deepEqual([answer?.state, problems], ["complete", 0]);
        const call = (answer!.content as Record<string, unknown>[]).at(-1)!;
        assert.equal(call.state, "input-available");
        const [kept] = Object.values(call.callProviderMetadata ?? {}) as Record<string, unknown>[];
        const expected = isKept ? extra_content : way === "again" ? { other: {} } : undefined;
        assert.deepEqual(kept?.extra_content, expected, `${way} ${JSON.stringify(extra_content)}`);
        assert.deepEqual(call, plain(chat.lastMessage?.parts.at(-1)));
      });
    }
  }
});

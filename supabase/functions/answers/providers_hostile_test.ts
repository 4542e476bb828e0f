import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";

import { signUp, test, withSettings } from "../_testing/testing.ts";
import { booksOf } from "./answers_testing.ts";
import {
  asked,
  assertSettled,
  FINISH,
  report,
  type Respond,
  say,
  stream,
  toStream,
  writeToReader,
} from "./odd_provider_testing.ts";
import { parseRetryAfter } from "./provider_error.ts";

const WHOLE = [say("Grüße, "), say("東京 👩‍🚀"), FINISH, report(5, 7), "[DONE]"];
const TEXT = "Grüße, 東京 👩‍🚀";

const encode = (text: string) => new TextEncoder().encode(text);

/** The text of a message, without its thoughts. */
function textOf(message: { content: { type: string; text?: string }[] }): string {
  return message.content.flatMap(({ type, text }) => type === "text" ? [text] : []).join("");
}

test("however a provider cuts its bytes and ends its lines, the answer is the same", async () => {
  const user = await signUp();
  const bytes = encode(toStream(WHOLE));
  const ways: Record<string, Respond> = {
    async "a byte at a time"(response) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const byte of bytes) {
        await new Promise<void>((resolve) => response.write(Uint8Array.of(byte), () => resolve()));
      }
      response.end();
    },
    "a byte order mark": (response) => stream(response, [Uint8Array.of(0xef, 0xbb, 0xbf), bytes]),
    "CRLF": (response) => stream(response, [toStream(WHOLE).replaceAll("\n", "\r\n")]),
    "CR": (response) => stream(response, [toStream(WHOLE).replaceAll("\n", "\r")]),
    "no space after the colon": (response) =>
      stream(response, [toStream(WHOLE).replaceAll("data: ", "data:")]),
    "comments, ids and names": (response) =>
      stream(response, [
        ": hello\n\nretry: 1\n\n",
        toStream(WHOLE).replaceAll("data: ", ":\nevent: chunk\nid: 1\ndata: "),
      ]),
    "gzip": (response) => stream(response, [gzipSync(bytes)], { "content-encoding": "gzip" }),
    "no end": (response) => stream(response, [toStream(WHOLE.slice(0, -1))]),
    "another type": (response) => stream(response, [bytes], { "content-type": "text/plain" }),
    async "an end that breaks"(response) {
      await writeToReader(response, toStream(WHOLE.slice(0, 4)));
      response.destroy();
    },
  };
  for (const [name, respond] of Object.entries(ways)) {
    const { answer: { status, body } } = await asked(user, respond);
    assert.equal(status, 200, `${name}: ${JSON.stringify(body)}`);
    assert.deepEqual(
      [
        textOf(body.message),
        body.answer.state,
        body.answer.finish_reason,
        body.answer.usage_source,
      ],
      [TEXT, "complete", "stop", "provider"],
      name,
    );
  }
  await assertSettled(user);
});

test("bytes that are no text, NUL and half characters do not end an answer", async () => {
  const user = await signUp();
  const invalid = encode(toStream([say("a?b")]));
  invalid[invalid.indexOf("?".charCodeAt(0))] = 0xff;
  const events = [
    say("\0c"),
    say("\ud800d"),
    { choices: [{ delta: { reasoning_content: "e\0\udc00" } }] },
    {
      choices: [{
        delta: {
          tool_calls: [{
            index: 0,
            id: "x",
            function: { name: "t", arguments: '{"f":"\\u0000\\ud800"}' },
          }],
        },
      }],
    },
    FINISH,
    "[DONE]",
  ];
  const { answer: { status, body } } = await asked(
    user,
    (response) => stream(response, [invalid, toStream(events)]),
  );
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(textOf(body.message), "a\ufffdb\ufffdc\ufffdd");
  assert.equal(body.answer.state, "complete");
  await assertSettled(user);
});

test("chunks that providers write in their own way are understood", async () => {
  const user = await signUp();
  const call = (call: unknown) => ({ choices: [{ delta: { tool_calls: [call] } }] });
  const named = (id: string, args: string) => ({ id, function: { name: "t", arguments: args } });
  const cases: [string, unknown[], unknown[]][] = [
    ["content as parts", [
      say([{ type: "thinking", thinking: [{ type: "text", text: "Hm" }] }, {
        type: "text",
        text: "A",
      }]),
      say(["B", { type: "unknown" }, null, 1]),
    ], [["reasoning", "Hm"], ["text", "AB"]]],
    ["two choices", [
      { choices: [{ index: 1, delta: { content: "no" } }, { index: 0, delta: { content: "A" } }] },
      { choices: [{ index: 1, delta: { content: "no" }, finish_reason: "stop" }] },
      say("B"),
    ], [["text", "AB"]]],
    ["calls without an index", [call(named("a", '{"n":1}')), call(named("b", '{"n":2}'))], [
      ["tool-t", { n: 1 }],
      ["tool-t", { n: 2 }],
    ]],
    ["an index that is huge", [call({ index: 1e9, ...named("a", "") })], [["tool-t", {}]]],
    ["an index that is null", [call({ index: null, ...named("a", "{}") })], [["tool-t", {}]]],
    ["an id that is repeated", [
      call({ index: 0, ...named("a", '{"n"') }),
      call({ index: 0, ...named("a", ":1}") }),
    ], [["tool-t", { n: 1 }]]],
    ["a call without a function", [call({ index: 0, id: "a", function: null })], [[
      "tool-unknown",
      {},
    ]]],
    ["a broken input", [call({ index: 0, ...named("a", '{"n":') })], [["tool-t", '{"n":']]],
    ["nothing", [], []],
  ];
  for (const [name, chunks, expected] of cases) {
    const { answer: { status, body } } = await asked(
      user,
      (response) => stream(response, [toStream([...chunks, FINISH, report(5, 7), "[DONE]"])]),
      { parameters: { tools: [{ name: "t" }] } },
    );
    assert.equal(status, 200, `${name}: ${JSON.stringify(body)}`);
    const parts = body.message.content.slice(1).map((
      { type, text, input, rawInput }: Record<string, unknown>,
    ) => [type, text ?? input ?? rawInput]);
    assert.deepEqual(parts, expected, name);
    assert.deepEqual([body.answer.state, body.answer.output_tokens], ["complete", 7], name);
  }
  const { answer: { body } } = await asked(
    user,
    (response) =>
      stream(response, [toStream([say("A"), { choices: [{ finish_reason: "eldritch" }] }])]),
  );
  assert.deepEqual([body.answer.state, body.answer.finish_reason], ["complete", "other"]);
  await assertSettled(user);
});

test("a refusal is the fault of the question, of the operator, or passes", async () => {
  const user = await signUp();
  const cases: [status: number, code: string, attempts: number, after?: string][] = [
    [400, "provider_refused", 1],
    [401, "model_misconfigured", 1],
    [402, "model_misconfigured", 1],
    [403, "model_misconfigured", 1],
    [404, "model_misconfigured", 1],
    [405, "model_misconfigured", 1],
    [408, "provider_unavailable", 3, "0"],
    [413, "provider_refused", 1],
    [422, "provider_refused", 1],
    [429, "provider_unavailable", 3, "0"],
    [429, "provider_unavailable", 3, "-5"],
    [429, "provider_unavailable", 1, "1e9"],
    [429, "provider_unavailable", 1, new Date(Date.now() + 3_600_000).toUTCString()],
    [429, "provider_unavailable", 3, "soon"],
    [503, "provider_unavailable", 3, new Date(0).toUTCString()],
    [204, "provider_interrupted", 3],
    [302, "model_misconfigured", 1],
    [307, "model_misconfigured", 1],
  ];
  const ask = async ([status, code, attempts, after]: typeof cases[number]) => {
    const result = await asked(user, (response) => {
      response.writeHead(status, {
        location: "/v1/chat/completions",
        ...after !== undefined && { "retry-after": after },
      });
      response.end();
    });
    assert.deepEqual(
      [result.answer.body.code, result.attempts],
      [code, attempts],
      `${status} ${after}: ${JSON.stringify(result.answer.body)}`,
    );
    assert.equal(result.answer.status, code === "provider_refused" ? 422 : 503);
  };
  await withSettings({ "answers.at_once": cases.length }, () => Promise.all(cases.map(ask)));
  const { answers, charged } = await booksOf(user);
  assert.deepEqual([answers.length, charged], [cases.length, 0]);
  await assertSettled(user);
});

test("Retry-After is read as seconds or as a date", () => {
  const now = Date.UTC(2026, 10, 27, 12);
  const cases: [string | null, number | undefined][] = [
    ["3", 3_000],
    ["0", 0],
    ["1.5", 1_500],
    ["-1", undefined],
    ["", undefined],
    [" ", undefined],
    ["soon", undefined],
    [null, undefined],
    ["Fri, 27 Nov 2026 12:00:09 GMT", 9_000],
    ["Fri, 27 Nov 2026 11:59:59 GMT", undefined],
  ];
  for (const [value, wait] of cases) assert.equal(parseRetryAfter(value, now), wait, String(value));
});

test("a line without an end is given up, and what a provider repeats of the prompt is not kept", async () => {
  const user = await signUp();
  const megabyte = "x".repeat(1024 * 1024);
  let sent = 0;
  const { answer: { status, body }, attempts } = await asked(user, async (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: ");
    for (let n = 0; n < 100 && !response.destroyed; n++) {
      await new Promise<void>((resolve, reject) =>
        response.write(megabyte, (error) => error ? reject(error) : resolve())
      );
      sent++;
    }
    response.end();
  });
  assert.deepEqual([status, body.code], [503, "provider_interrupted"]);
  assert.equal(attempts, 3);
  assert.ok(sent < 3 * 60, `${sent} MB were read`);
  await assertSettled(user);
});

test("a gateway that only says that it is there keeps an answer alive; silence ends it", async () => {
  const user = await signUp();
  await withSettings({ "answers.idle_time": 4 }, async () => {
    const alive = asked(user, async (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (let n = 0; n < 20; n++) {
        response.write(": PROCESSING\n\n");
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
      response.end(toStream(WHOLE));
    });
    // After the last word, silence only means that the provider has not closed the connection.
    const late = await asked(user, (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(toStream(WHOLE.slice(0, -1)));
    });
    const { answer: { body } } = await alive;
    assert.equal(body.answer?.state, "complete", JSON.stringify(body));
    assert.deepEqual([late.answer.body.answer?.state, late.answer.body.answer?.usage_source], [
      "complete",
      "provider",
    ]);
  });
  await assertSettled(user);
});

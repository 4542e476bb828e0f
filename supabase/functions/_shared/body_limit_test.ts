import assert from "node:assert/strict";
import { Hono } from "hono";

import { test } from "../_testing/testing.ts";
import { limitBody } from "./body_limit.ts";
import { renderProblem } from "./problem.ts";
import { readText } from "./request.ts";

const LIMIT = 100;

interface Fixture {
  /** Sends a request as it is written, and returns the response as it arrives; nothing if there is none. */
  write: (request: string) => Promise<string>;
  send: (body: BodyInit) => Promise<{ status: number; text: string }>;
  /** What the route has read. */
  read: string[];
}

async function withRoute(run: (fixture: Fixture) => Promise<void>): Promise<void> {
  const read: string[] = [];
  const app = new Hono();
  app.onError(renderProblem);
  app.use(limitBody(LIMIT));
  app.post("/", async (c) => {
    const text = await readText(c);
    read.push(text);
    return c.text(`read ${text.length}`);
  });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  const { port } = server.addr;
  try {
    await run({
      read,
      async write(request) {
        const connection = await Deno.connect({ hostname: "127.0.0.1", port });
        try {
          await connection.write(new TextEncoder().encode(request));
          await connection.closeWrite();
          return await new Response(connection.readable).text();
        } catch {
          return "";
        }
      },
      async send(body) {
        const url = `http://127.0.0.1:${port}/`;
        const response = await fetch(url, { method: "POST", body });
        return { status: response.status, text: await response.text() };
      },
    });
  } finally {
    await server.shutdown();
  }
}

/** A body without a length: it is sent in chunks. */
function chunked(...parts: string[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from(parts).pipeThrough(new TextEncoderStream());
}

const head = (...headers: string[]) =>
  ["POST / HTTP/1.1", "Host: x", "Connection: close", ...headers, "", ""].join("\r\n");

test("a body up to the limit reaches the route as it was sent, with or without a length", async () => {
  await withRoute(async ({ send, read }) => {
    for (const text of ["", "a", "ü".repeat(LIMIT / 2), "x".repeat(LIMIT)]) {
      for (const body of [text, chunked(text), chunked(...text)]) {
        assert.equal((await send(body)).status, 200);
        assert.equal(read.pop(), text);
      }
    }
  });
});

test("a body over the limit is refused, with or without a length, and the sender sees why", async () => {
  await withRoute(async ({ send, read }) => {
    const much = "x".repeat(LIMIT * 10);
    for (
      const body of ["x".repeat(LIMIT + 1), much, chunked(much), chunked("x".repeat(LIMIT), "x")]
    ) {
      const { status, text } = await send(body);
      assert.deepEqual([status, JSON.parse(text).code], [413, "body_too_large"]);
    }
    assert.deepEqual(read, []);
  });
});

test("a false Content-Length brings no more than the limit to a route, and no part of a body", async () => {
  await withRoute(async ({ write, read }) => {
    // What follows the declared bytes is not part of the request.
    assert.match(await write(head("Content-Length: 5") + "x".repeat(LIMIT * 2)), / 200 /);
    assert.equal(read.pop(), "xxxxx");
    // The rest never comes.
    for (const length of [LIMIT, LIMIT + 1]) {
      const answer = await write(head(`Content-Length: ${length}`) + "x".repeat(5));
      assert.ok(!answer.includes(" 200 "), answer);
    }
    for (const length of ["-5", "5x", "1e1", "5, 6", "99999999999999999999"]) {
      const answer = await write(head(`Content-Length: ${length}`) + "x".repeat(LIMIT * 2));
      assert.ok(!answer.includes(" 200 "), answer);
    }
    assert.deepEqual(read, []);
  });
});

test("a chunked body is counted, whatever Content-Length says", async () => {
  await withRoute(async ({ write, read }) => {
    const chunks = (size: number) => `${size.toString(16)}\r\n${"x".repeat(size)}\r\n0\r\n\r\n`;
    for (
      const headers of [
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 5"],
      ]
    ) {
      assert.match(await write(head(...headers) + chunks(LIMIT * 2)), / 4(00|13) /);
      await write(head(...headers) + chunks(LIMIT));
    }
    for (const text of read) assert.equal(text, "x".repeat(LIMIT));
    // Ends in the middle.
    const answer = await write(head("Transfer-Encoding: chunked") + "5\r\nxxxxx\r\n");
    assert.ok(!answer.includes(" 200 "), answer);
  });
});

test("a server that does not hold a body to its Content-Length brings no more than the limit to a route", async () => {
  const app = new Hono();
  app.onError(renderProblem);
  app.use(limitBody(LIMIT));
  app.post("/", (c) => c.text("read"));
  const request = (size: number) =>
    app.request("/", {
      method: "POST",
      headers: { "content-length": "5" },
      body: "x".repeat(size),
    });
  assert.equal((await request(LIMIT)).status, 200);
  assert.equal((await request(LIMIT + 1)).status, 413);
});

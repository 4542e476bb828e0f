import assert from "node:assert/strict";

import { test } from "../supabase/functions/_testing/testing.ts";
import { storageReader, storageWriter } from "./storage.ts";
import { type Content, copyObject, type NotCopied, readContent } from "./transfers.ts";

const MIB = 1024 * 1024;

/** Bytes of an object that no side may have in memory. */
const SIZE = 256 * MIB;

/** What connections and streams may hold of it. */
const HELD = 64 * MIB;

/** Two projects whose Storage has an object of SIZE bytes, which is made while it is read. */
async function withStorage(
  run: (storage: { url: string; most: () => number; received: () => number }) => Promise<void>,
  status = 200,
): Promise<void> {
  let [sent, received, most] = [0, 0, 0];
  const chunk = new Uint8Array(MIB).fill(7);
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (call) => {
      if (call.method === "GET") {
        return new Response(
          new ReadableStream({
            pull(stream) {
              if (sent === SIZE) return stream.close();
              sent += chunk.length;
              most = Math.max(most, sent - received);
              stream.enqueue(chunk);
            },
          }),
        );
      }
      if (status !== 200) return Response.json({ message: "Too large" }, { status });
      for await (const part of call.body ?? []) received += part.length;
      return Response.json({ Id: "1", Key: "1" });
    },
  );
  try {
    const url = `http://127.0.0.1:${server.addr.port}`;
    await run({ url, most: () => most, received: () => received });
  } finally {
    await server.shutdown();
  }
}

const object = { bucket: "b", name: "large", contentType: "video/mp4", cacheControl: undefined };

test("an object is written while it is read, and never whole in memory", async () => {
  let copied: Content | NotCopied | undefined;
  await withStorage(async ({ url, most, received }) => {
    const access = { url, secretKey: "x" };
    copied = await copyObject(object, storageReader(access), storageWriter(access));
    assert.ok("bytes" in copied, JSON.stringify(copied));
    assert.equal(copied.bytes, SIZE);
    assert.equal(received(), SIZE);
    assert.ok(most() <= HELD, `${most() / MIB} MiB had been read and not written`);
  });
  await withStorage(async ({ url }) => {
    const read = await readContent(object, storageReader({ url, secretKey: "x" }));
    assert.deepEqual(read, copied, "both sides have the same checksum");
  });
});

test("an object that Storage refuses is not read to its end", async () => {
  await withStorage(async ({ url, most }) => {
    const access = { url, secretKey: "x" };
    const refused = await copyObject(object, storageReader(access), storageWriter(access));
    assert.deepEqual(refused, { problem: "object: refused by Storage", message: "Too large" });
    assert.ok(most() < SIZE);
  }, 413);
});

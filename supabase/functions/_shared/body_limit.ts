/**
 * Limits what a request may carry. Unlike Hono's middleware of this name it reads what it refuses: a
 * server that answers before it has read the body closes the connection under a client that still
 * writes, which then sees a broken connection instead of the 413.
 *
 * @module
 */

import type { MiddlewareHandler } from "hono";

import { Problem } from "./problem.ts";

/** How much more than the limit is read and thrown away, as a multiple of it. */
const PATIENCE = 16;

/**
 * Middleware that reads the body, so that the routes have it whole.
 *
 * @param maxBytes Bytes that a body may have.
 * @throws {Problem} 413 `body_too_large`; 400 `body_incomplete` when the client goes away.
 */
export function limitBody(maxBytes: number): MiddlewareHandler {
  return async function readLimitedBody(c, next) {
    if (c.req.raw.body) {
      const body = await readAtMost(c.req.raw.body, maxBytes).catch((cause: unknown) => {
        throw new Problem(400, "body_incomplete", "The body ended before its end", { cause });
      });
      if (!body) {
        throw new Problem(413, "body_too_large", `A body may have ${maxBytes} bytes here`);
      }
      c.req.raw = new Request(c.req.raw, { body });
    }
    await next();
  };
}

async function readAtMost(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  maxBytes: number,
): Promise<Blob | undefined> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = body.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    size += next.value.length;
    if (size <= maxBytes) chunks.push(next.value);
    if (size > maxBytes * PATIENCE) await reader.cancel();
  }
  return size > maxBytes ? undefined : new Blob(chunks);
}

/**
 * Limits the size of a request. Unlike Hono's middleware of the same name, it reads the body even when it refuses it: a
 * server that responds before it has read the body closes the connection while the client is still writing, and the
 * client then sees a broken connection instead of the 413.
 *
 * @module
 */

import type { Context, MiddlewareHandler } from "hono";

import { Problem } from "./problem.ts";

/** Largest body with messages in bytes: a full batch of the largest messages would be larger. */
export const MESSAGES_BODY_BYTES = 8 * 1024 * 1024;

/** How much of a body that is too large is read and thrown away, as a multiple of the limit. */
const PATIENCE = 16;

/**
 * Middleware that reads the whole body before the route runs.
 *
 * @param largest Largest body in bytes, of all routes or by the path of the request.
 * @throws {Problem} 413 `body_too_large`; 400 `body_incomplete` if the client disconnects.
 */
export function limitBody(largest: number | ((path: string) => number)): MiddlewareHandler {
  return async function readLimitedBody(c, next) {
    if (c.req.raw.body) {
      const maxBytes = typeof largest === "number" ? largest : largest(c.req.path);
      const fits = await readBody(c, maxBytes).catch((cause: unknown) => {
        throw new Problem(
          400,
          "body_incomplete",
          "The connection closed before the whole body arrived",
          { hint: "Send the request again", cause },
        );
      });
      if (!fits) {
        throw new Problem(
          413,
          "body_too_large",
          `The body is larger than the ${maxBytes} bytes that this route accepts`,
        );
      }
    }
    await next();
  };
}

/** Reads the body, and returns whether it is within the limit. */
async function readBody(c: Context, maxBytes: number): Promise<boolean> {
  // Hono keeps the bytes for the route. Counting them chunk by chunk costs ten times as much.
  if (declaredBytes(c) <= maxBytes) return (await c.req.arrayBuffer()).byteLength <= maxBytes;
  const { raw } = c.req;
  const body = raw.body && await readAtMost(raw.body, maxBytes);
  if (!body) return false;
  c.req.raw = new Request(raw, { body });
  return true;
}

/** The length that HTTP holds the body to; NaN if it is not known. With Transfer-Encoding, Content-Length says nothing. */
function declaredBytes(c: Context): number {
  const isChunked = c.req.header("transfer-encoding") !== undefined;
  return isChunked ? NaN : Number(c.req.header("content-length") ?? NaN);
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

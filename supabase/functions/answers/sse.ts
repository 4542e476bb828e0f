/**
 * Server-sent events of an answer.
 *
 * @module
 */

import { parsePosition, type PlacedChunk, type Position } from "./chunks.ts";

/** The headers of the stream, as the AI SDK expects them. */
export const STREAM_HEADERS: Record<string, string> = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache",
  "x-vercel-ai-ui-message-stream": "v1",
  // Proxies must not collect the events.
  "x-accel-buffering": "no",
};

const encoder = new TextEncoder();

/** The end of the stream, as the AI SDK expects it. */
export const DONE: Uint8Array<ArrayBuffer> = encoder.encode("data: [DONE]\n\n");

/**
 * Encodes a chunk as an event.
 *
 * @param answerId Id of the answer.
 * @param placed The chunk, and the position after it.
 */
export function encodeEvent(
  answerId: string,
  { chunk, position }: PlacedChunk,
): Uint8Array<ArrayBuffer> {
  return encoder.encode(`id: ${answerId}/${position}\ndata: ${JSON.stringify(chunk)}\n\n`);
}

/**
 * Reads the header `Last-Event-ID`.
 *
 * @param value Its value: the id of an event.
 * @returns The answer, and the position in it; undefined if the id is not one of ours.
 */
export function parseEventId(value: string): { answerId: string; after: Position } | undefined {
  const [answerId = "", position = ""] = value.split("/");
  const after = parsePosition(position);
  return after && { answerId, after };
}

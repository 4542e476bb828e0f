/**
 * Broadcasts without a WebSocket: supabase-js sends them so before it has joined, and with `httpSend()`.
 *
 * @module
 */

import type { StackKeys } from "../keys.ts";
import type { Hub } from "./hub.ts";
import { type Claims, claimsOfKey, claimsOfToken } from "./tokens.ts";

/** A message in the body of a request. */
interface Message {
  topic: string;
  event: string;
  payload: unknown;
  private?: boolean;
}

/** Answers `POST api/broadcast`, with a list of messages, and `POST api/broadcast/TOPIC/events/EVENT`, with one payload. */
export async function receiveBroadcast(
  request: Request,
  hub: Hub,
  keys: StackKeys,
): Promise<Response> {
  if (request.method !== "POST") return refuse(405, "Send a POST request");
  const claims = await claimsOf(request.headers, keys);
  if (!claims) return refuse(401, "Unauthorized");
  const messages = await readMessages(request).catch(() => undefined);
  if (!messages) {
    return refuse(
      422,
      `The body must be {"messages": [{"topic", "event", "payload"}]}, with names of at most ${LONGEST_NAME} bytes`,
    );
  }
  for (const { topic, event, payload, private: isPrivate = false } of messages) {
    if (isPrivate && !await mayBroadcast(hub, topic, claims, request.headers)) continue;
    hub.broadcast({ topic, private: isPrivate }, { type: "broadcast", event, payload });
  }
  return new Response(null, { status: 202 });
}

async function claimsOf(headers: Headers, keys: StackKeys): Promise<Claims | undefined> {
  const claims = claimsOfKey(headers.get("apikey"), keys);
  const token = headers.get("authorization")?.replace(/^Bearer /, "");
  if (!claims || !token || token.startsWith("sb_")) return claims;
  return await claimsOfToken(token, keys).catch(() => undefined);
}

async function readMessages(request: Request): Promise<Message[] | undefined> {
  const url = new URL(request.url);
  const [, topic, event] = url.pathname.match(/\/broadcast\/([^/]+)\/events\/([^/]+)$/) ?? [];
  if (topic && event) {
    const isJson = request.headers.get("content-type")?.includes("json");
    const names = { topic: decodeURIComponent(topic), event: decodeURIComponent(event) };
    if (!isShort(names)) return undefined;
    return [{
      ...names,
      payload: isJson ? await request.json() : new Uint8Array(await request.arrayBuffer()),
      private: url.searchParams.get("private") === "true",
    }];
  }
  const { messages } = await request.json();
  const valid = Array.isArray(messages) &&
    messages.every((message) =>
      typeof message?.topic === "string" && typeof message.event === "string" && isShort(message)
    );
  return valid ? messages : undefined;
}

/** A binary frame has one byte for the length of each name. */
const LONGEST_NAME = 255;

function isShort({ topic, event }: { topic: string; event: string }): boolean {
  const encoder = new TextEncoder();
  return [topic, event].every((name) => encoder.encode(name).length <= LONGEST_NAME);
}

async function mayBroadcast(
  hub: Hub,
  topic: string,
  claims: Claims,
  headers: Headers,
): Promise<boolean> {
  try {
    const database = await hub.database();
    const rights = await database.rights(topic, claims, Object.fromEntries(headers));
    return rights.broadcast_write;
  } catch {
    return false;
  } finally {
    hub.rest();
  }
}

function refuse(status: number, message: string): Response {
  return Response.json({ message }, { status });
}

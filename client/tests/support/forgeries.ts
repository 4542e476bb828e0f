/**
 * What a server can forge that has older data keys of the user, and what it can pretend to have done.
 *
 * @module
 */

import { foldOf } from "../../chats/chat_heads.ts";
import { type DataKey, emptySum, encrypt, makeHead, sealHistory } from "../../crypto/mod.ts";
import type { Json } from "./lying_server.ts";

/** The text of everything that is forged. */
export const FORGED = "FORGED";

/**
 * Replaces chats and the head of the account in an answer by forgeries under an older key.
 *
 * @param answer of a sync, or of `GET /chats/:id`
 * @param user_id UUID of the user
 * @param key an older data key
 * @param random decides what is forged
 */
export async function forge(
  answer: Json,
  { user_id, key, random }: { user_id: string; key: DataKey; random: () => number },
): Promise<Json> {
  const forged = structuredClone(answer);
  const chats = forged?.changes ?? (forged?.data_version ? [forged] : []);
  for (const chat of chats) {
    if (chat.deleted || random() < 0.3) continue;
    const envelope = (part: "title" | "data" | number) =>
      encrypt(FORGED, { key, user_id, chat_id: chat.id, part });
    if (random() < 0.5) chat.version++;
    if (random() < 0.7) chat.encrypted_title = await envelope("title");
    if (chat.encrypted_data) {
      if (random() < 0.7) chat.encrypted_data = await envelope("data");
      for (const segment of chat.segments ?? []) {
        if (random() < 0.7) segment.encrypted_data = await envelope(segment.number);
      }
    }
    const fold = chat.encrypted_data
      ? await foldOf(chat)
      : chat.head
      ? JSON.parse(chat.head).fold
      : btoa("\0".repeat(32));
    const place = { user_id, chat_id: chat.id };
    if (random() < 0.8) chat.head = await makeHead(place, chat, fold, key);
  }
  if (forged?.history && random() < 0.7) {
    const counter = forged.history.counter + Math.floor(random() * 3);
    const content = { chats: chats.length, sum: emptySum(), writers: {}, min_epoch: 1 as const };
    const sealed = await sealHistory(content, user_id, counter, key);
    forged.history = { ...forged.history, counter, sealed };
  }
  return forged;
}

/**
 * Pretends that a change was made: answers as an honest server would, but nothing is changed.
 *
 * @param request the change
 * @param path after `/functions/v1/` or `/rest/v1/`
 * @returns undefined if it is no change of a chat or of the history
 */
export async function pretend(request: Request, path: string): Promise<Json | undefined> {
  const [, id] = /^chats\/([0-9a-f-]{36})/.exec(path) ?? [];
  if (request.method === "GET" || (!id && path !== "chats/history")) return undefined;
  const text = await request.text();
  const body = text ? JSON.parse(text) : {};
  if (!id) return { counter: body.history.counter, replayed: false };
  if (request.method === "DELETE") return { id, deleted: true, proven: true, replayed: false };
  const [base] = request.url.split(id);
  const { headers } = request;
  const read = await fetch(`${base}${id}`, { headers });
  const found = await read.json();
  const now = new Date().toISOString();
  const fresh = { version: 0, data_version: 0, next_segment: 0, is_starred: false };
  const before = read.ok ? found : { ...fresh, created_at: now };
  const version = before.version + 1;
  return {
    ...{ id, version, updated_at: now, created_at: before.created_at, replayed: false },
    data_version: request.method === "PUT" ? version : before.data_version,
    next_segment: before.next_segment + Number(path.endsWith("/segments")),
    is_starred: body.is_starred ?? before.is_starred,
  };
}

/**
 * Reads a chat from the server: only what the device does not have yet.
 *
 * @module
 */

import { type ChatPage, readChatPage, segmentsMissing } from "./answers.ts";
import type { ContentUpdate, StoredChat, StoredContent } from "./chat_store.ts";
import type { ChatsError } from "./chats_error.ts";
import type { ChatRequest, Requests } from "./requests.ts";

/** The result of reading a chat. */
export interface ChatRead {
  readonly chat: StoredChat;
  /** The whole content. */
  readonly content: StoredContent;
  /** What the device did not have of the content. */
  readonly update: ContentUpdate;
}

/**
 * Reads a chat, page by page.
 *
 * Other devices may save it meanwhile. Segments are only ever added, and a number is never given twice. If the whole
 * content was replaced, the next page brings the new data and the segments after it. So the result is the chat as it was
 * when its last page was read.
 *
 * @param requests as the user
 * @param id of the chat
 * @param device what the device has of the chat and of its content
 * @throws ChatsError 404 `chat_not_found`; `chat_rolled_back` if the server has an older version than the device;
 * `segments_missing` if the server left out segments; `false_answer`, `unreachable`
 */
export async function readChat(
  requests: Requests,
  id: string,
  { known, kept }: { known: StoredChat | undefined; kept: StoredContent | undefined },
): Promise<ChatRead> {
  let content = kept;
  let replaced = false;
  for (;;) {
    const page = await readPage(requests, id, { chat: known, content });
    const { encrypted_data, segments, chat } = page;
    const { data_version } = chat;
    if (encrypted_data !== null) {
      const next_segment = segments[0]?.number ?? chat.next_segment;
      content = { id, data_version, encrypted_data, segments: [], next_segment };
      replaced = true;
    }
    const before: StoredContent = content!; // a page without it is refused if the device has none
    content = {
      ...before,
      segments: [...before.segments, ...segments],
      next_segment: before.next_segment + segments.length,
    };
    if (page.has_more && segments.length > 0) continue;
    if (page.has_more || content.next_segment !== chat.next_segment) throw segmentsMissing(id);

    const added = content.segments.slice(kept?.segments.length);
    const { next_segment } = content;
    const update = replaced ? content : { id, data_version, segments: added, next_segment };
    return { chat, content, update };
  }
}

/**
 * Reads a chat, and checks it. If it does not fit its head, reads all of it: what the device has of the content may be of a
 * change that the server only claimed to have made.
 *
 * @param requests as the user
 * @param id of the chat
 * @param device what the device has of the chat and of its content
 * @param check receives what was read, and returns the result
 * @throws as `readChat` and `check`
 */
export async function readProven<T>(
  requests: Requests,
  id: string,
  device: { known: StoredChat | undefined; kept: StoredContent | undefined },
  check: (read: ChatRead) => Promise<T>,
): Promise<T> {
  try {
    return await check(await readChat(requests, id, device));
  } catch (error) {
    if ((error as ChatsError).code !== "head_false") throw error;
    return await check(await readChat(requests, id, { ...device, kept: undefined }));
  }
}

async function readPage(
  requests: Requests,
  id: string,
  known: { chat: StoredChat | undefined; content: StoredContent | undefined },
): Promise<ChatPage> {
  const { content } = known;
  const query = content
    ? `?from_segment=${content.next_segment}&known_data_version=${content.data_version}`
    : "";
  const read = (answer: unknown) => readChatPage(answer, id, known);
  const request: ChatRequest<ChatPage> = {
    method: "GET",
    path: encodeURIComponent(id) + query,
    read,
  };
  return await requests.send(request, (page) => page);
}

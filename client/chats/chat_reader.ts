/**
 * Reads a chat from the server: only what the device does not have yet.
 *
 * @module
 */

import {
  type ContentUpdate,
  type StoredChat,
  storedChat,
  type StoredContent,
  type StoredSegment,
} from "./chat_store.ts";
import { ChatsError } from "./chats_error.ts";
import type { ChatRequest, Requests } from "./requests.ts";

/** The result of reading a chat. */
export interface ChatRead {
  readonly chat: StoredChat;
  /** The whole content. */
  readonly content: StoredContent;
  /** What the device did not have of the content. */
  readonly update: ContentUpdate;
}

/** The answer of `GET /chats/:id`. */
interface ChatPage extends StoredChat {
  /** Null if the device has it. */
  readonly encrypted_data: string | null;
  readonly segments: readonly StoredSegment[];
  readonly has_more: boolean;
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
 * `segments_missing` if the server left out segments; `unreachable`
 */
export async function readChat(
  requests: Requests,
  id: string,
  { known, kept }: { known: StoredChat | undefined; kept: StoredContent | undefined },
): Promise<ChatRead> {
  let content = kept;
  let replaced = false;
  for (;;) {
    const page = await readPage(requests, id, content);
    const { encrypted_data, segments, data_version } = page;
    if (known && page.version < known.version) {
      throw new ChatsError(
        "chat_rolled_back",
        `The server has an older version of chat "${id}" than this device`,
      );
    }
    if (encrypted_data !== null) {
      const next_segment = segments[0]?.number ?? page.next_segment;
      content = { id, data_version, encrypted_data, segments: [], next_segment };
      replaced = true;
    }
    if (content?.data_version !== data_version) throw segmentsMissing(id);
    content = {
      ...content,
      segments: [...content.segments, ...segments],
      next_segment: content.next_segment + segments.length,
    };
    if (page.has_more && segments.length > 0) continue;
    // A segment opens only under its own number: if their count is right, none is missing.
    if (page.has_more || content.next_segment !== page.next_segment) throw segmentsMissing(id);

    const added = content.segments.slice(kept?.segments.length);
    const { next_segment } = content;
    const update = replaced ? content : { id, data_version, segments: added, next_segment };
    return { chat: storedChat(page), content, update };
  }
}

async function readPage(
  requests: Requests,
  id: string,
  known: StoredContent | undefined,
): Promise<ChatPage> {
  const query = known
    ? `?from_segment=${known.next_segment}&known_data_version=${known.data_version}`
    : "";
  const request: ChatRequest = { method: "GET", path: encodeURIComponent(id) + query };
  return await requests.send(request, (page: ChatPage) => page);
}

function segmentsMissing(id: string): ChatsError {
  return new ChatsError("segments_missing", `The server left out segments of chat "${id}"`);
}

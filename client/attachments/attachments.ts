/**
 * Attachments of encrypted chats: files that the device encrypts before it uploads them.
 *
 * ```ts
 * const attachments = new Attachments(supabase, user.id, chats.keys);
 * const { id } = await attachments.add(chat.id, input.files[0]);
 * const [first] = await attachments.list(chat.id);
 * image.src = URL.createObjectURL(await attachments.open(chat.id, first));
 * ```
 *
 * @module
 */

import { methodsOf, sender } from "../api/caller.ts";
import { USER_ROUTES } from "../api/routes.ts";
import { StrongroomError } from "../api/strongroom_error.ts";
import type { Keyring } from "../chats/keyring.ts";
import { must, readList } from "../chats/members.ts";
import type { AnySupabaseClient } from "../chats/supabase_client.ts";
import { CryptoError } from "../crypto/mod.ts";
import { putFile, type UploadProgress } from "../files/storage.ts";
import { type Attachment, type AttachmentChunk, manifestOf, readManifest } from "./manifest.ts";
import { ChunkCipher, nonceOf } from "./chunk_cipher.ts";

export type { Attachment, AttachmentChunk } from "./manifest.ts";
export { StrongroomError } from "../api/strongroom_error.ts";

/** How an attachment is added. */
export interface AddOptions {
  /** Name of the file (that of a `File`, otherwise `attachment`). Only the owner of the chat can read it. */
  name?: string;
  /** Content type (that of the blob). */
  type?: string;
  /** Called as the bytes are sent. They are those of the file, without what the encryption adds. */
  onProgress?: (progress: Omit<UploadProgress, "resumable">) => void;
  signal?: AbortSignal;
}

const BUCKET = "chat-images";

/** Bytes of a file in a chunk. A device encrypts one chunk at a time, so it needs memory for one, whatever the file's size. */
const CHUNK_BYTES = 4 * 1024 * 1024;

/** No manifest is larger, and few other chunks are smaller: `list` reads only these. */
const MANIFEST_BYTES = 64 * 1024;

/** The most chunks (2 GiB): their ids must fit into a manifest, and into one request to delete them. */
const MOST_CHUNKS = 500;

/** Rows of a page when the chunks of a chat are listed. */
const PAGE = 1000;

/** The most rows of a chat. A server that never comes to an end could make up as many ids as it likes. */
const MOST_ROWS = 100 * PAGE;

/** The attachments of one user's encrypted chats. They are deleted with their chat. */
export class Attachments {
  readonly #supabase: AnySupabaseClient;
  readonly #user_id: string;
  readonly #cipher: ChunkCipher;
  readonly #calls: ReturnType<typeof calls>;

  /**
   * @param supabase client of the signed-in user
   * @param user_id UUID of that user, from the session
   * @param keys of the user's `Chats`, unlocked
   */
  constructor(supabase: AnySupabaseClient, user_id: string, keys: Keyring) {
    this.#supabase = supabase;
    this.#user_id = user_id;
    this.#cipher = new ChunkCipher(keys, user_id);
    this.#calls = calls(supabase);
  }

  /**
   * Encrypts a file in chunks, and adds it to a chat that has been saved.
   *
   * @param chat_id of the chat
   * @param file the bytes
   * @param options name, type, progress
   * @returns the attachment: plain JSON, which the app may also put into the chat
   * @throws StrongroomError `chat_not_found`, `storage_quota_exceeded`, `aborted` ...; ChatsError `keys_locked`. Then nothing
   * of the attachment stays
   */
  async add(chat_id: string, file: Blob, options: AddOptions = {}): Promise<Attachment> {
    const { name = "name" in file ? String(file.name) : "attachment", type = file.type } = options;
    const { onProgress, signal } = options;
    const count = Math.max(1, Math.ceil(file.size / CHUNK_BYTES));
    if (count > MOST_CHUNKS) {
      throw new StrongroomError(
        "file_too_large",
        `An attachment can have at most ${MOST_CHUNKS * CHUNK_BYTES} bytes`,
        {
          fields: { limit: MOST_CHUNKS * CHUNK_BYTES },
        },
      );
    }
    const chunks: AttachmentChunk[] = [];
    try {
      for (let index = 0; index < count; index++) {
        onProgress?.({ sent: Math.min(index * CHUNK_BYTES, file.size), total: file.size });
        const blob = file.slice(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
        const bytes = new Uint8Array(await blob.arrayBuffer());
        const sent = await this.#upload(chat_id, "chunk", bytes, signal);
        chunks.push({ ...sent, size: bytes.length });
      }
      const about = { name, type, size: file.size, chunks };
      const manifest = manifestOf(about);
      if (await this.#cipher.envelopeSize(manifest.length) > MANIFEST_BYTES) {
        throw new StrongroomError("invalid_name", "The name of the attachment is too long");
      }
      const { id } = await this.#upload(chat_id, "manifest", manifest, signal);
      onProgress?.({ sent: file.size, total: file.size });
      return { id, ...about };
    } catch (error) {
      // If this fails too, the chunks are deleted with the chat.
      await this.#delete(chat_id, chunks.map(({ id }) => id)).catch(() => {});
      throw error;
    }
  }

  /**
   * Lists the attachments of a chat, in the order in which they were added.
   *
   * @param chat_id of the chat
   * @throws StrongroomError `unreachable`; CryptoError; ChatsError `keys_locked`, `unexpected_answer`; `false_answer` if the
   * server's list has no end
   */
  async list(chat_id: string): Promise<Attachment[]> {
    const found: Attachment[] = [];
    for (const id of await this.#maybeManifests(chat_id)) {
      const read = await this.#cipher.open(chat_id, id, await this.#fetch(chat_id, id));
      if (read.kind === "manifest") found.push({ id, ...readManifest(read.content) });
    }
    return found;
  }

  /**
   * Downloads and decrypts an attachment.
   *
   * @param chat_id of the chat
   * @param attachment from `list` or `add`
   * @returns the file, with its type
   * @throws StrongroomError `object_not_found`, `unreachable`; CryptoError `decryption_failed` if anything of it is not what
   * was added; ChatsError `keys_locked`
   */
  async open(chat_id: string, { type, chunks }: Attachment): Promise<Blob> {
    const contents: Uint8Array<ArrayBuffer>[] = [];
    for (const { id, size, nonce } of chunks) {
      const envelope = await this.#fetch(chat_id, id);
      const { kind, content } = await this.#cipher.open(chat_id, id, envelope);
      const isAnother = nonce !== undefined && nonce !== nonceOf(envelope);
      if (kind !== "chunk" || content.length !== size || isAnother) {
        throw new CryptoError("decryption_failed", "Cannot decrypt: a chunk is not what was added");
      }
      contents.push(content);
    }
    return new Blob(contents, { type });
  }

  /**
   * Deletes an attachment. (All attachments of a chat are deleted with the chat.)
   *
   * @param chat_id of the chat
   * @param attachment from `list` or `add`
   * @throws StrongroomError `unreachable`
   */
  async remove(chat_id: string, { id, chunks }: Attachment): Promise<void> {
    // With its manifest first, an attachment that is deleted in part is not listed any more.
    await this.#delete(chat_id, [id, ...chunks.map((chunk) => chunk.id)]);
  }

  async #upload(
    chat_id: string,
    kind: "chunk" | "manifest",
    content: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<{ id: string; nonce: string }> {
    const size = await this.#cipher.envelopeSize(content.length);
    const reservation = await this.#calls.chats.reserveAttachment(chat_id, { size }, { signal })
      .throwOnError();
    const { id } = reservation;
    try {
      const envelope = await this.#cipher.seal(chat_id, id, kind, content);
      const failure = await putFile({
        reservation,
        file: new Blob([envelope], { type: reservation.content_type }),
        onProgress: undefined,
        signal,
      });
      if (failure) throw failure;
      await this.#calls.files.complete(id, {}, { signal }).throwOnError();
      return { id, nonce: nonceOf(envelope) };
    } catch (error) {
      await this.#delete(chat_id, [id]).catch(() => {});
      throw error;
    }
  }

  /** Returns the ids of the objects that may be manifests, oldest first. */
  async #maybeManifests(chat_id: string): Promise<string[]> {
    const ids: string[] = [];
    for (let page = PAGE; page === PAGE;) {
      must(ids.length < MOST_ROWS, "the list has no end");
      const { data, error, status } = await this.#supabase.from("file_uploads").select("id")
        .eq("chat_id", chat_id).eq("bucket_name", BUCKET).eq("status", "complete")
        .lte("file_size", MANIFEST_BYTES).order("created_at").order("id")
        .range(ids.length, ids.length + PAGE - 1);
      if (error) {
        const code = status === 0 ? "unreachable" : "unexpected_answer";
        throw new StrongroomError(code, error.message, { status, cause: error });
      }
      const rows = readList(data, PAGE);
      page = rows.length;
      ids.push(...rows.map((row) => row.uuid("id")));
    }
    // The server may repeat rows.
    return [...new Set(ids)];
  }

  async #fetch(chat_id: string, id: string): Promise<string> {
    const { data, error } = await this.#supabase.storage.from(BUCKET).download(
      this.#path(chat_id, id),
    );
    if (data) return await data.text();
    const { status } = error as { status?: number };
    throw status === undefined
      ? new StrongroomError("unreachable", "Storage cannot be reached", { cause: error })
      : new StrongroomError("object_not_found", "A chunk of the attachment is missing", {
        status,
        cause: error,
      });
  }

  async #delete(chat_id: string, ids: string[]): Promise<void> {
    if (ids.length === 0) return;
    const paths = ids.map((id) => this.#path(chat_id, id));
    await this.#calls.files.delete({ bucket: BUCKET, paths }).throwOnError();
  }

  #path(chat_id: string, id: string): string {
    return `${this.#user_id}/${chat_id}/${id}`;
  }
}

function calls(supabase: AnySupabaseClient) {
  return methodsOf<typeof USER_ROUTES, "user">(USER_ROUTES, sender(supabase));
}

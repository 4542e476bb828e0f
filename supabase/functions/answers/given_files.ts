/**
 * The files of messages: those in Storage are read with the rights of the user, and given to the model as data. The message
 * keeps the reference only.
 *
 * @module
 */

import { Buffer } from "node:buffer";

import type { SupabaseClient } from "@supabase/supabase-js";

import type { Database } from "../_shared/database.types.ts";
import { logLine } from "../_shared/log.ts";
import { Problem } from "../_shared/problem.ts";
import { IMAGES, kindOf, MOST_BYTES, toContentPart } from "./file_kinds.ts";
import { asText, type Part, toParts } from "./pieces.ts";
import type { ContentPart, StoredMessage } from "./prompt.ts";
import { type Reference, toReference } from "./references.ts";

/** The most files of a request that are read. */
const MOST_FILES = 10;

/** The most bytes of all files of a request: the function has 256 MB, and providers accept no more. */
const MOST_TOTAL_BYTES = 20 * 1024 * 1024;

/** How long Storage may take for all files, in milliseconds. */
const TIMEOUT_MS = 20_000;

/** What is wrong with another URL. */
const FAULT = {
  path: "message",
  message:
    "The url of a PDF or a text must be storage://BUCKET/PATH, a URL of Storage, or a data URL",
};

/** What the model is given for the files of messages, by their URL. */
export type GivenFiles = Map<string, ContentPart>;

/** Reads files as a user; null if the caller has no session, as with an API key. */
export type FileReader = SupabaseClient<Database> | null;

/** A part of a message that is a file. */
interface FilePart {
  url: string;
  mediaType: string;
  name: string;
}

/**
 * Reads the files of messages that are being sent. All of them are needed.
 *
 * @param reader The client of the user.
 * @param messages The messages.
 * @throws {Problem} 403 `session_required`; 404 `file_not_found`; 413 `file_too_large`; 422 `file_type_not_supported`,
 *   `file_type_mismatch`, `too_many_files`; 503 `storage_unavailable`.
 */
export async function readFiles(
  reader: FileReader,
  messages: StoredMessage[],
): Promise<GivenFiles> {
  const files = messages.flatMap(filesOf);
  if (files.length > MOST_FILES) {
    throw new Problem(422, "too_many_files", `A request can have at most ${MOST_FILES} files`, {
      fields: { most: MOST_FILES },
    });
  }
  const given: GivenFiles = new Map();
  const source: Source = { reader, signal: AbortSignal.timeout(TIMEOUT_MS) };
  let room = MOST_TOTAL_BYTES;
  for (const file of files) {
    if (given.has(file.url)) continue;
    const { part, size } = await readFile(source, file, room);
    given.set(file.url, part);
    room -= size;
  }
  return given;
}

/** What is known about the history. */
export interface HistoryOptions {
  /** The files of the new message, which count, too. */
  given: GivenFiles;
  /** What the model can do. */
  capabilities: string[];
  /** Bytes of text that still fit into the model's context. */
  textBytes: number;
}

/**
 * Reads the files of earlier messages again, the newest first. One that is gone, that the model does not take, or that no
 * longer fits is left out: the model is told its name.
 *
 * @param reader The client of the user.
 * @param history The messages, the oldest first.
 * @param options See {@link HistoryOptions}.
 * @returns What the model is given for each file in Storage, the new ones included.
 */
export async function readHistoryFiles(
  reader: FileReader,
  history: StoredMessage[],
  { given, capabilities, textBytes }: HistoryOptions,
): Promise<GivenFiles> {
  const all: GivenFiles = new Map(given);
  let room = MOST_TOTAL_BYTES - sizeOf(given);
  let textRoom = textBytes;
  const source: Source = { reader, signal: AbortSignal.timeout(TIMEOUT_MS) };
  for (const message of history.toReversed()) {
    for (const file of filesOf(message)) {
      if (all.has(file.url)) continue;
      const kind = kindOf(file.mediaType);
      const needed = kind === "image" ? "images" : kind === "pdf" ? "files" : undefined;
      const most = kind === "text" ? Math.min(room, textRoom) : room;
      const found = needed && !capabilities.includes(needed) || most <= 0 || all.size >= MOST_FILES
        ? undefined
        : await readFile(source, file, most).catch(leaveOut);
      all.set(file.url, found?.part ?? missing(file));
      room -= found?.size ?? 0;
      if (kind === "text") textRoom -= found?.size ?? 0;
    }
  }
  return all;
}

/** An upper estimate of the tokens of the text in files, which the estimate of the database does not contain. */
export function countFileText(given: GivenFiles): number {
  return [...given.values()].reduce(
    (sum, part) => sum + (part.type === "text" ? Math.ceil(Buffer.byteLength(part.text) / 3) : 0),
    0,
  );
}

function leaveOut(error: unknown): undefined {
  if (!(error instanceof Problem)) {
    logLine("error", { message: `A file of an earlier message could not be read: ${error}` });
  }
}

function missing({ name }: FilePart): ContentPart {
  return { type: "text", text: `[The file ${JSON.stringify(name)} is not available any more]` };
}

function sizeOf(given: GivenFiles): number {
  return [...given.values()].reduce((sum, part) => sum + JSON.stringify(part).length * 0.75, 0);
}

/** The files that must be read before the model is given them. Images with other URLs are passed on as they are. */
function filesOf({ role, content }: StoredMessage): FilePart[] {
  if (role !== "user") return [];
  return toParts(content).flatMap((part) => {
    const file = toFile(part);
    return file && isRead(file) ? [file] : [];
  });
}

function toFile({ type, url, mediaType, filename }: Part): FilePart | undefined {
  if (type !== "file" || typeof mediaType !== "string" || typeof url !== "string") return undefined;
  const name = asText(filename) || (toReference(url)?.path ?? "");
  return { url, mediaType, name: name.split("/").at(-1)!.slice(0, 200) };
}

function isRead({ url, mediaType }: FilePart): boolean {
  const kind = kindOf(mediaType);
  return kind !== "image" || toReference(url) !== undefined;
}

/** With what files are read. */
interface Source {
  reader: FileReader;
  signal: AbortSignal;
}

async function readFile(
  source: Source,
  file: FilePart,
  room: number,
): Promise<{ part: ContentPart; size: number }> {
  const kind = kindOf(file.mediaType);
  if (!kind) {
    throw new Problem(
      422,
      "file_type_not_supported",
      `Models are not given files of the type "${file.mediaType.slice(0, 100)}"`,
      {
        hint: "Send a PNG, JPEG, WebP or GIF image, a PDF, or text",
        fields: { supported: [...IMAGES, "application/pdf", "text/*"] },
      },
    );
  }
  const most = Math.min(MOST_BYTES[kind], room);
  const bytes = file.url.startsWith("data:")
    ? fromDataUrl(file, most)
    : await fromStorage(source, file, most);
  return { part: await toContentPart({ ...file, bytes }), size: bytes.length };
}

function fromDataUrl({ url, name }: FilePart, most: number): Uint8Array {
  const [, base64, data = ""] = url.match(/^data:[^,]*?(;base64)?,(.*)$/is) ?? [];
  const bytes = base64
    ? Buffer.from(data, "base64")
    : Buffer.from(decodeURIComponentOr(data), "utf8");
  if (bytes.length > most) throw tooLarge(name, most);
  return bytes;
}

function decodeURIComponentOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function fromStorage(
  source: Source,
  { url, name }: FilePart,
  most: number,
): Promise<Uint8Array> {
  const reference = toReference(url);
  if (!reference) {
    throw new Problem(
      422,
      "invalid_request",
      "The request is invalid: errors lists what is wrong",
      { hint: "Upload the file, and send storage://BUCKET/PATH", fields: { errors: [FAULT] } },
    );
  }
  const stream = await open(source, reference);
  if (!stream) {
    throw new Problem(404, "file_not_found", `There is no file ${JSON.stringify(name)}`, {
      hint: "It may have been deleted, or belong to somebody else",
      fields: { url: url.slice(0, 2_000) },
    });
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      size += chunk.length;
      chunks.push(chunk);
      // Leaving the loop cancels the download.
      if (size > most) break;
    }
  } catch (error) {
    throw unavailable(error);
  }
  if (size > most) throw tooLarge(name, most);
  return Buffer.concat(chunks);
}

/** Opens an object as the user or, if the user may not read it, by its own URL: that of a public object, or a signed one. */
async function open(
  { reader, signal }: Source,
  { bucket, path, url }: Reference,
): Promise<ReadableStream<Uint8Array> | undefined> {
  if (reader) {
    // The client writes both into a URL as they are: a "%2e%2e" or a "?" in a name would lead elsewhere.
    const encoded = path.split("/").map(encodeURIComponent).join("/");
    const { data, error } = await reader.storage.from(encodeURIComponent(bucket))
      .download(encoded, {}, { signal }).asStream();
    if (data) return data;
    const { status = 0 } = error as { status?: number };
    if (status === 0 || status >= 500 || status === 429) throw unavailable(error);
  }
  if (url) {
    const response = await fetch(url, { signal, redirect: "error" }).catch((error) => {
      throw unavailable(error);
    });
    if (response.ok && response.body) return response.body;
    await response.body?.cancel();
    if (response.status >= 500) throw unavailable(response.status);
  }
  if (!reader && !url) {
    throw new Problem(403, "session_required", "An API key cannot read files by their path", {
      hint: "Sign in and send the session token, or send a signed URL of the file",
    });
  }
  return undefined;
}

function unavailable(cause: unknown): Problem {
  return new Problem(503, "storage_unavailable", "Storage is not available at the moment", {
    hint: "Try again in a moment",
    headers: { "retry-after": "1" },
    cause,
  });
}

function tooLarge(name: string, most: number): Problem {
  return new Problem(413, "file_too_large", `The file ${JSON.stringify(name)} is too large`, {
    hint: `A model is given files of at most ${most} bytes here`,
    fields: { maximum: most },
  });
}

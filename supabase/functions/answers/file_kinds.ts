/**
 * Files that a model can be given, by their media types.
 *
 * @module
 */

import { Buffer } from "node:buffer";

import { isOfType } from "../_shared/file_content.ts";
import { Problem } from "../_shared/problem.ts";
import type { ContentPart } from "./prompt.ts";

/** How a file is given to a model. */
export type Kind = "image" | "pdf" | "text";

/** The images that providers read. */
export const IMAGES = ["image/png", "image/jpeg", "image/webp", "image/gif"];

/** Text that is not called so. */
const TEXTS = ["application/json", "application/xml", "application/yaml"];

/** The largest file of each kind, in bytes. Text is all read by the model; others are as large as Storage takes them. */
export const MOST_BYTES: Record<Kind, number> = {
  image: 10 * 1024 * 1024,
  pdf: 10 * 1024 * 1024,
  text: 256 * 1024,
};

/** First bytes that are needed to detect a type. */
const FIRST_BYTES = 4100;

/**
 * The kind of a media type.
 *
 * @param mediaType The type of a part: `image/png`; `image` and `image/*` are any image.
 * @returns Undefined if no model is given such files.
 */
export function kindOf(mediaType: string): Kind | undefined {
  const type = baseOf(mediaType);
  if (type === "image" || type === "image/*" || IMAGES.includes(type)) return "image";
  if (type === "application/pdf") return "pdf";
  return type === "text" || type.startsWith("text/") || TEXTS.includes(type) ? "text" : undefined;
}

/** A file that is to be given to a model. */
export interface GivenFile {
  bytes: Uint8Array;
  /** The type that its part says. */
  mediaType: string;
  name: string;
}

/**
 * Writes a file for a model.
 *
 * @param file The file.
 * @throws {Problem} 422 `file_type_mismatch` if its bytes are not what its media type says.
 */
export async function toContentPart({ bytes, mediaType, name }: GivenFile): Promise<ContentPart> {
  const kind = kindOf(mediaType);
  const first = bytes.subarray(0, FIRST_BYTES);
  if (kind === "image") {
    const type = await imageType(first, baseOf(mediaType));
    return { type: "image_url", image_url: { url: toDataUrl(type, bytes) } };
  }
  if (kind === "pdf") {
    await check(first, "application/pdf");
    const file_data = toDataUrl("application/pdf", bytes);
    return { type: "file", file: { filename: name || "file.pdf", file_data } };
  }
  await check(first, "text/plain");
  return { type: "text", text: `File ${JSON.stringify(name)}:\n${decode(bytes)}` };
}

function baseOf(mediaType: string): string {
  return mediaType.split(";")[0]!.trim().toLowerCase();
}

async function imageType(first: Uint8Array, declared: string): Promise<string> {
  const candidates = IMAGES.includes(declared) ? [declared] : IMAGES;
  let detected = "unknown";
  for (const type of candidates) {
    const found = await isOfType(first, type);
    if (found.ok) return type;
    detected = found.detected;
  }
  throw mismatch(declared, detected);
}

async function check(first: Uint8Array, declared: string): Promise<void> {
  const { ok, detected } = await isOfType(first, declared);
  if (!ok) throw mismatch(declared, detected);
}

function mismatch(declared: string, detected: string): Problem {
  return new Problem(
    422,
    "file_type_mismatch",
    `The content of the file is not of the type "${declared}": detected ${detected}`,
    { hint: "Send the mediaType that the file has", fields: { declared, detected } },
  );
}

function toDataUrl(type: string, bytes: Uint8Array): string {
  const { buffer, byteOffset, byteLength } = bytes;
  return `data:${type};base64,${Buffer.from(buffer, byteOffset, byteLength).toString("base64")}`;
}

function decode(bytes: Uint8Array): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe
    ? "utf-16le"
    : bytes[0] === 0xfe && bytes[1] === 0xff
    ? "utf-16be"
    : "utf-8";
  return new TextDecoder(encoding).decode(bytes);
}

/**
 * For the tests of files: real bytes of each type, and uploads as an app makes them.
 *
 * @module
 */

import type { FunctionInvokeOptions } from "@supabase/supabase-js";

import {
  anonymousClient,
  type Answer,
  invoke,
  type TestUser,
  withDatabase,
} from "../_testing/testing.ts";

/** A PNG of one white pixel. */
export const PNG: Uint8Array<ArrayBuffer> = decode(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==",
);

/** A GIF of one pixel. */
export const GIF: Uint8Array<ArrayBuffer> = decode(
  "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
);

/** The beginning of a PDF. It is text. */
export const PDF: Uint8Array<ArrayBuffer> = new TextEncoder().encode(
  "%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
);

/** Half a second of silence. */
export const WAV: Uint8Array<ArrayBuffer> = wave(4000);

/** Text in several alphabets. */
export const TEXT: Uint8Array<ArrayBuffer> = new TextEncoder().encode("Grüße, Привет, 你好 👋\n");

/** What an upload declares. */
export interface Declaration {
  bucket?: string;
  name?: string;
  size?: number;
  content_type?: string;
  project_id?: string;
  chat_id?: string;
}

/** Reserves an upload. Default: a small PNG as an attachment. */
export function reserve(
  user: TestUser,
  declared: Declaration = {},
  options: FunctionInvokeOptions = {},
): Promise<Answer> {
  const body = {
    bucket: "chat_attachments",
    name: "pixel.png",
    size: PNG.length,
    content_type: "image/png",
    ...declared,
  };
  return invoke(user.client, "files/uploads", { body, ...options });
}

/** Uploads bytes to the reserved URL, as anyone who has it may. */
export async function send(reserved: Answer, bytes: Uint8Array<ArrayBuffer>, type = "image/png") {
  const { bucket, upload_path, token } = reserved.body;
  return await anonymousClient().storage.from(bucket)
    .uploadToSignedUrl(upload_path, token, new Blob([bytes], { type }));
}

/** Completes a reserved upload. */
export function complete(user: TestUser, reserved: Answer): Promise<Answer> {
  return invoke(user.client, `files/uploads/${reserved.body.id}/complete`, { method: "POST" });
}

/** Reserves, uploads and completes a file. */
export async function upload(
  user: TestUser,
  bytes: Uint8Array<ArrayBuffer> = PNG,
  declared: Declaration = {},
): Promise<Answer> {
  const reserved = await reserve(user, { size: bytes.length, ...declared });
  if (reserved.status !== 201) return reserved;
  const { error } = await send(reserved, bytes, declared.content_type ?? "image/png");
  if (error) throw error;
  return await complete(user, reserved);
}

/** The bytes that a user uses and has reserved. */
export async function usage(user: TestUser): Promise<{ used: number; reserved: number }> {
  const { body } = await invoke(user.client, "files/usage");
  return { used: body.used, reserved: body.reserved };
}

/** The names of the objects in a user's folders. */
export async function stored(user: TestUser): Promise<string[]> {
  const rows = await withDatabase((sql) =>
    sql`select bucket_id || '/' || name as name from storage.objects where name like ${`${user.id}/%`}`
  );
  return rows.map(({ name }) => name).sort();
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

function wave(samples: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(44 + samples);
  const view = new DataView(bytes.buffer);
  const text = (offset: number, value: string) =>
    bytes.set(new TextEncoder().encode(value), offset);
  text(0, "RIFF");
  view.setUint32(4, 36 + samples, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, 8000, true);
  view.setUint32(28, 8000, true);
  view.setUint16(32, 1, true);
  view.setUint16(34, 8, true);
  text(36, "data");
  view.setUint32(40, samples, true);
  return bytes.fill(128, 44);
}

/**
 * storage-js uploads a Blob or File as multipart/form-data whose file field has an empty name. The real
 * service takes the first file; `@supabase/lite` looks for a field `file`, and web form parsers drop
 * an empty name (seen in 0.10.0). A raw body works with both.
 *
 * @module
 */

// @deno-types="@types/busboy"
import busboy from "busboy";
import { pipeline, Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";

const OBJECT_PATH = /^\/storage\/v1\/object\//;

/**
 * Turns a multipart upload to Storage into one with a raw body. Other requests pass unchanged.
 *
 * @param request An incoming request.
 */
export async function unwrapMultipart(request: Request): Promise<Request> {
  const type = request.headers.get("content-type") ?? "";
  if (
    !type.startsWith("multipart/form-data") || !request.body ||
    !OBJECT_PATH.test(new URL(request.url).pathname)
  ) return request;

  const { file, fields } = await readForm(request.body, type);
  const headers = new Headers(request.headers);
  // The size limits are checked against this header.
  headers.set("content-length", String(file?.bytes.length ?? 0));
  headers.set("content-type", fields.contentType ?? file?.type ?? "application/octet-stream");
  if (fields.cacheControl) headers.set("cache-control", `max-age=${fields.cacheControl}`);
  return new Request(request.url, {
    method: request.method,
    headers,
    body: file?.bytes ?? new Uint8Array(),
  });
}

interface Form {
  file?: { type: string; bytes: Uint8Array<ArrayBuffer> };
  fields: Record<string, string>;
}

function readForm(body: ReadableStream<Uint8Array>, contentType: string): Promise<Form> {
  return new Promise((resolve, reject) => {
    const form: Form = { fields: {} };
    const parser = busboy({ headers: { "content-type": contentType } });
    parser.on("field", (name, value) => form.fields[name] = value);
    parser.on("file", (_name, stream, info) => {
      const chunks: Uint8Array<ArrayBuffer>[] = [];
      stream.on("error", reject);
      stream.on("data", (chunk: Uint8Array<ArrayBuffer>) => chunks.push(chunk));
      stream.on("end", async () => {
        const bytes = new Uint8Array(await new Blob(chunks).arrayBuffer());
        form.file ??= { type: info.mimeType, bytes };
        resolve(form);
      });
    });
    parser.on("close", () => form.file ?? resolve(form));
    pipeline(Readable.fromWeb(body as unknown as NodeReadableStream), parser, (error) => {
      if (error) reject(error);
    });
  });
}

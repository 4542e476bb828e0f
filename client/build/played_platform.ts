/**
 * The local stack with what Storage has only on the platform: resumable uploads with signed URLs.
 *
 * @module
 */

import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";

import type { LocalStack } from "./local_stack.ts";

/** Where the platform takes uploads in chunks, with the token of a signed upload in `x-signature`. */
const CHUNKS = "/storage/v1/upload/resumable/sign";

/** What a browser sees: the stack, resumable uploads, and the page of the check. */
export interface Platform extends AsyncDisposable {
  url: string;
  /** Whether uploads in chunks are accepted. */
  resumable: boolean;
  /** Bytes of chunks that have arrived. */
  received: number;
  /** How many uploads in chunks were begun. */
  created: number;
  /** Whether the second chunk of an upload is held up, so that a page can be reloaded meanwhile. */
  hold: boolean;
  /** Resolves when a chunk is held up. */
  held: Promise<void>;
}

/**
 * Starts it.
 *
 * @param stack the local stack
 * @param script of the page
 * @param dir folder for chunks
 */
export async function startPlatform(
  stack: LocalStack,
  script: string,
  dir: string,
): Promise<Platform> {
  await Deno.mkdir(dir);
  const origin = stack.environment.SUPABASE_URL!;
  const { promise: held, resolve: reportHeld } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const tokens = new Map<string, string>();
  const tus = new Server({
    path: CHUNKS,
    datastore: new FileStore({ directory: dir }),
    relativeLocation: true,
    onUploadCreate: (request, upload) => {
      tokens.set(upload.id, request.headers.get("x-signature") ?? "");
      platform.created++;
      return Promise.resolve({});
    },
    // As the platform does, the file becomes an object when its last chunk has arrived.
    onUploadFinish: async (request, { id, metadata }) => {
      const token = request.headers.get("x-signature") ?? tokens.get(id);
      const path = `${metadata?.bucketName}/${metadata?.objectName}`;
      const response = await fetch(
        `${origin}/storage/v1/object/upload/sign/${path}?token=${token}`,
        {
          method: "PUT",
          headers: { "content-type": metadata?.contentType ?? "" },
          body: await Deno.readFile(`${dir}/${id}`),
        },
      );
      await response.body?.cancel();
      return { status_code: response.ok ? 204 : response.status };
    },
  });

  async function handleChunk(request: Request): Promise<Response> {
    const offset = Number(request.headers.get("upload-offset") ?? 0);
    if (request.method === "PATCH" && platform.hold && offset > 0) {
      reportHeld();
      await released;
      return new Response(null, { status: 503 });
    }
    const response = await tus.handleWeb(request);
    if (request.method === "PATCH" && response.ok) {
      platform.received += Number(response.headers.get("upload-offset")) - offset;
    }
    return response;
  }

  async function forward(request: Request, { pathname, search }: URL): Promise<Response> {
    const response = await fetch(`${origin}${pathname}${search}`, {
      method: request.method,
      headers: request.headers,
      ...(request.body && { body: request.body }),
    });
    if (!pathname.endsWith("/files/uploads")) return response;
    // Signed URLs name the host that signs them.
    const text = (await response.text()).replaceAll(origin, platform.url);
    const headers = { "content-type": response.headers.get("content-type") ?? "" };
    return new Response(text, { status: response.status, headers });
  }

  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const url = new URL(request.url);
      if (url.pathname === "/") {
        return new Response("<!doctype html>", { headers: { "content-type": "text/html" } });
      }
      if (url.pathname === "/page.js") {
        return new Response(script, { headers: { "content-type": "text/javascript" } });
      }
      if (url.pathname.startsWith(CHUNKS)) {
        return platform.resumable
          ? await handleChunk(request)
          : new Response(null, { status: 404 });
      }
      return await forward(request, url);
    },
  );
  const platform: Platform = {
    url: `http://127.0.0.1:${server.addr.port}`,
    resumable: true,
    received: 0,
    created: 0,
    hold: false,
    held,
    [Symbol.asyncDispose]: async () => {
      release();
      await server.shutdown();
    },
  };
  return platform;
}

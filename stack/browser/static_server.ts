/**
 * Serves the pages of the example, as any host of static files does.
 *
 * @module
 */

import { extname } from "node:path";

import { within } from "../within.ts";

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

/** A running server. */
export interface StaticServer {
  stop(): Promise<void>;
}

/**
 * Serves a folder on 127.0.0.1.
 *
 * @param dir The folder, with an `index.html`.
 * @param port The port; it must be free.
 */
export function serveFolder(dir: string, port: number): StaticServer {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port, onListen: () => {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      const path = pathname === "/" ? "/index.html" : pathname;
      const bytes = await Deno.readFile(`${dir}${path}`).catch(() => undefined);
      if (!bytes) return new Response("Not found", { status: 404 });
      return new Response(bytes, {
        headers: { "content-type": TYPES[extname(path)] ?? "application/octet-stream" },
      });
    },
  );
  return { stop: () => within(1_000, server.shutdown()) };
}

/**
 * Realtime: broadcast, presence and changes of tables, as supabase-js knows them from the platform.
 *
 * @module
 */

import type { StackKeys } from "../keys.ts";
import type { DatabaseAccess } from "../postgres.ts";
import { receiveBroadcast } from "./http.ts";
import { Hub } from "./hub.ts";
import { serveSocket } from "./socket.ts";
import { claimsOfKey } from "./tokens.ts";

/** Path of everything that the service serves. */
export const REALTIME_PREFIX = "/realtime/v1/";

/** The running service. */
export interface Realtime {
  /** Answers a request. It must be the one that the server received, or it cannot become a WebSocket. */
  fetch(request: Request): Promise<Response>;
  /** Disconnects all clients. */
  close(): Promise<void>;
}

/** Code with which a server says that it goes away. */
const GOING_AWAY = 1001;

/** Starts the service. It connects to the database when the first client joins a channel. */
export function startRealtime(access: DatabaseAccess, keys: StackKeys): Realtime {
  const hub = new Hub(access);
  const sockets = new Set<WebSocket>();
  let closing = false;

  const connect = (request: Request, url: URL): Response => {
    const claims = claimsOfKey(
      url.searchParams.get("apikey") ?? request.headers.get("apikey"),
      keys,
    );
    if (!claims) return Response.json({ message: "Invalid API key" }, { status: 401 });
    if (closing) return Response.json({ message: "Realtime is stopping" }, { status: 503 });
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return Response.json({ message: "This route accepts only WebSocket connections" }, {
        status: 426,
      });
    }
    // Before the upgrade, which takes the request away.
    const headers = Object.fromEntries(request.headers);
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.binaryType = "arraybuffer";
    sockets.add(socket);
    socket.addEventListener("close", () => sockets.delete(socket));
    const version = url.searchParams.get("vsn") === "2.0.0" ? "2.0.0" : "1.0.0";
    serveSocket(socket, version, hub, { keys, claims, headers });
    return response;
  };

  return {
    async fetch(request) {
      const url = new URL(request.url);
      const path = url.pathname.slice(REALTIME_PREFIX.length);
      if (path === "websocket") return connect(request, url);
      if (path.startsWith("api/broadcast")) return await receiveBroadcast(request, hub, keys);
      return Response.json({ message: "Not found" }, { status: 404 });
    },
    async close() {
      closing = true;
      for (const socket of sockets) socket.close(GOING_AWAY);
      await hub.close();
    },
  };
}

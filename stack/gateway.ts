/**
 * The one port that clients talk to, as on the platform: `/functions/v1/NAME/...` goes to the Edge Function,
 * `/realtime/v1/...` to Realtime, the rest to REST, Auth and Storage.
 *
 * @module
 */

import { jwtVerify } from "jose";

import { allowOrigins, answerPreflight } from "./adapters/cors.ts";
import { unwrapMultipart } from "./adapters/multipart_upload.ts";
import { refuseUnfiltered } from "./adapters/safe_update.ts";
import { nameSigningKey } from "./adapters/session_token_kid.ts";
import { nameDownload } from "./adapters/storage_download_name.ts";
import { mendObjectInfo } from "./adapters/storage_object_info.ts";
import { refuseKey } from "./adapters/storage_object_keys.ts";
import { mendSigning } from "./adapters/storage_signed_urls.ts";
import { refuseToken } from "./adapters/storage_token_refusals.ts";
import type { Functions } from "./functions.ts";
import type { StackKeys } from "./keys.ts";
import { within } from "./within.ts";
import type { Lite } from "./lite.ts";
import type { ProjectConfig } from "./options.ts";
import { type Realtime, REALTIME_PREFIX } from "./realtime/service.ts";

/** The services behind the gateway. */
export interface Backends {
  lite: Lite;
  functions: Functions;
  realtime: Realtime;
  keys: StackKeys;
  config: ProjectConfig;
}

/** The running gateway. */
export interface Gateway {
  /** Accepts no more requests, and waits a second for pending ones. */
  stop(): Promise<void>;
}

const FUNCTIONS_PREFIX = "/functions/v1";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** Milliseconds that pending requests have to end. */
const PATIENCE_MS = 1_000;

/** Browsers must be able to read the gateway's own responses. */
const CORS = { "access-control-allow-origin": "*" };

/**
 * Serves the gateway on 127.0.0.1.
 *
 * @param port The port; it must be free.
 * @param backends Where requests go.
 */
export function serveGateway(port: number, backends: Backends): Gateway {
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port,
    onListen: () => {},
  }, async (incoming, { remoteAddr }) => {
    if (!METHODS.includes(incoming.method)) return new Response(null, { status: 405 });
    const { pathname } = new URL(incoming.url);
    if (pathname.startsWith(REALTIME_PREFIX)) {
      const preflight = answerPreflight(incoming, METHODS);
      if (preflight) return preflight;
      // Before the upgrade, which takes the request away. The answer that opens a WebSocket must stay as it is.
      const upgrade = incoming.headers.has("upgrade");
      const response = await backends.realtime.fetch(incoming);
      return upgrade ? response : allowOrigins(response);
    }
    const request = forwarded(incoming, remoteAddr.hostname);
    return pathname.startsWith(`${FUNCTIONS_PREFIX}/`)
      ? await toFunction(request, backends)
      : answerPreflight(request, METHODS) ?? allowOrigins(await toLite(request, backends));
  });
  return {
    stop: () => within(PATIENCE_MS, server.shutdown()),
  };
}

/** Adds the client's address, as every proxy does. */
function forwarded(request: Request, address: string): Request {
  const headers = new Headers(request.headers);
  headers.append("x-forwarded-for", address);
  return new Request(request, { headers });
}

async function toLite(incoming: Request, { lite, keys }: Backends): Promise<Response> {
  const refusal = await refuseToken(incoming, keys.jwtSecret) ?? await refuseKey(incoming) ??
    await refuseUnfiltered(incoming);
  if (refusal) return refusal;
  let request: Request;
  try {
    request = await unwrapMultipart(incoming);
  } catch (error) {
    return Response.json(
      { statusCode: "400", error: "Bad Request", message: `Malformed multipart body: ${error}` },
      { status: 400 },
    );
  }
  return await mendSigning(
    request,
    (signing) =>
      mendObjectInfo(
        signing,
        (info) => nameDownload(info, (download) => lite.fetch(download)),
      ),
  );
}

async function toFunction(incoming: Request, backends: Backends): Promise<Response> {
  const url = new URL(incoming.url);
  url.pathname = url.pathname.slice(FUNCTIONS_PREFIX.length);
  const name = url.pathname.split("/")[1] ?? "";
  if (!await backends.functions.exists(name)) {
    return Response.json(
      { code: "NOT_FOUND", message: "Requested function was not found" },
      { status: 404, headers: CORS },
    );
  }
  const headers = new Headers(incoming.headers);
  await nameSigningKey(headers, backends.keys);
  const verify = backends.config.functions[name]?.verify_jwt ?? true;
  if (verify && incoming.method !== "OPTIONS" && !await hasSessionToken(headers, backends.keys)) {
    return Response.json({ code: 401, message: "Invalid JWT" }, { status: 401, headers: CORS });
  }
  return await backends.functions.fetch(
    new Request(url, {
      method: incoming.method,
      headers,
      body: incoming.body,
    }),
  );
}

/** The platform's check before it calls a function whose `verify_jwt` is on. */
async function hasSessionToken(headers: Headers, keys: StackKeys): Promise<boolean> {
  const token = headers.get("authorization")?.replace(/^Bearer /, "") ?? "";
  const secret = new TextEncoder().encode(keys.jwtSecret);
  return await jwtVerify(token, secret).then(() => true, () => false);
}

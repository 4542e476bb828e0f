/**
 * A proxy between a client and the stack that loses answers after the server has made the change.
 *
 * @module
 */

import { stack } from "../../../supabase/functions/_testing/testing.ts";

/** What the proxy does with a request. */
export type Fate =
  /** The server handles it, and its answer arrives. */
  | "deliver"
  /** The server handles it, and the connection ends before the answer arrives. */
  | "lose answer"
  /** The connection ends before the server gets it. */
  | "lose request"
  /** The proxy answers instead of the server. */
  | Response;

/** A proxy that is listening. */
export interface Proxy extends AsyncDisposable {
  /** Its URL, for `createClient`. */
  url: string;
  /** Every request that arrived: method, path, and its idempotency key. */
  requests: { route: string; key: string | null }[];
}

/**
 * Starts a proxy in front of the stack.
 *
 * @param fate says what happens to each request to a function; `count` is how many arrived for its route before
 */
export function startProxy(
  fate: (route: string, count: number) => Fate,
): Proxy {
  const requests: Proxy["requests"] = [];
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const { pathname, search } = new URL(request.url);
      const forward = () =>
        fetch(`${stack.url}${pathname}${search}`, {
          method: request.method,
          headers: request.headers,
          body: request.body,
        });
      if (!pathname.startsWith("/functions/v1/")) return await forward();
      const route = `${request.method} ${pathname.slice("/functions/v1".length)}`;
      const count = requests.filter((earlier) => earlier.route === route).length;
      requests.push({ route, key: request.headers.get("idempotency-key") });
      const decided = fate(route, count);
      if (decided instanceof Response) return decided;
      if (decided === "lose request") return broken();
      const response = await forward();
      if (decided === "deliver") return response;
      await response.body?.cancel();
      return broken();
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    requests,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** An answer that ends in the middle: the client sees a connection that breaks. */
function broken(): Response {
  const body = new ReadableStream({
    pull(controller) {
      controller.enqueue(new TextEncoder().encode('{"half":'));
      controller.error(new Error("The connection was lost"));
    },
  });
  return new Response(body, {
    headers: { "content-type": "application/json" },
  });
}

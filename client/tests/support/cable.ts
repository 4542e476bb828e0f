/**
 * A network cable between a client and the stack: it can be pulled out and plugged in again.
 *
 * @module
 */

import { stack } from "../../../supabase/functions/_testing/testing.ts";

/** A forwarder of TCP connections. */
export class Cable implements AsyncDisposable {
  readonly #listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #done: Promise<void>;
  #plugged = true;

  constructor() {
    this.#done = this.#accept();
  }

  /** URL of the stack behind the cable. */
  get url(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Ends all connections, and refuses new ones. */
  pull(): void {
    this.#plugged = false;
    for (const connection of this.#connections) close(connection);
  }

  /** Accepts connections again. */
  plug(): void {
    this.#plugged = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.pull();
    await this.#done;
  }

  async #accept(): Promise<void> {
    const forwarded: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      forwarded.push(this.#forward(connection));
    }
    await Promise.all(forwarded);
  }

  async #forward(client: Deno.TcpConn): Promise<void> {
    if (!this.#plugged) return close(client);
    const { hostname, port } = new URL(stack.url);
    this.#connections.add(client);
    const server = await Deno.connect({ hostname, port: Number(port) });
    this.#connections.add(server);
    if (!this.#plugged) this.pull();
    await Promise.allSettled([
      client.readable.pipeTo(server.writable),
      server.readable.pipeTo(client.writable),
    ]);
    for (const connection of [client, server]) {
      close(connection);
      this.#connections.delete(connection);
    }
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch { /* it is closed */ }
}

/**
 * Ports on loopback.
 *
 * @module
 */

import { StackFailure } from "./failure.ts";

/**
 * Makes sure that a port can be had.
 *
 * @param port Port on 127.0.0.1.
 * @param variable Environment variable that moves it, for the message.
 * @throws {StackFailure} when something listens there.
 */
export function requireFreePort(port: number, variable: string): void {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
  } catch (cause) {
    throw new StackFailure(
      `Port ${port} is taken by another program`,
      `Stop that program (a Supabase CLI stack uses the same ports), or set ${variable} to a free port.`,
      { cause },
    );
  }
}

/** A port on 127.0.0.1 that is free now. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

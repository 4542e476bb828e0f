/**
 * Ports on loopback.
 *
 * @module
 */

import { StackFailure } from "./failure.ts";

/**
 * Makes sure that ports can be had.
 *
 * @param ports Ports on 127.0.0.1, by the environment variables that move them.
 * @throws {StackFailure} naming all on which something listens.
 */
export function requireFreePorts(ports: Record<string, number>): void {
  const taken = Object.entries(ports).filter(([, port]) => !isFree(port));
  if (taken.length === 0) return;
  const numbers = taken.map(([, port]) => port).join(" and ");
  const moved = taken.map(([name]) => `${name}=${freePort()}`).join(" ");
  throw new StackFailure(
    `Port ${numbers} ${taken.length > 1 ? "are" : "is"} taken by another program`,
    "Stop it (another stack, or that of the Supabase CLI, uses the same ports), " +
      `or start on other ports: ${moved}`,
  );
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch {
    return false;
  }
}

/** A port on 127.0.0.1 that is free now. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

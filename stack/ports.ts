/**
 * Free ports on 127.0.0.1.
 *
 * @module
 */

import { StackFailure } from "./failure.ts";

/**
 * Makes sure that ports are free.
 *
 * @param ports Ports on 127.0.0.1, by the environment variables that change them.
 * @throws {StackFailure} that names all ports in use, or one that needs root.
 */
export function requireFreePorts(ports: Record<string, number>): void {
  const closed = Object.entries(ports).find(([, port]) => !isPermitted(port));
  if (closed) {
    const [name, port] = closed;
    throw new StackFailure(
      `Only root may use port ${port}`,
      `Choose a port above 1023: ${name}=${freePort()}`,
    );
  }
  const taken = Object.entries(ports).filter(([, port]) => !isFree(port));
  if (taken.length === 0) return;
  const numbers = taken.map(([, port]) => port).join(" and ");
  const moved = taken.map(([name]) => `${name}=${freePort()}`).join(" ");
  throw new StackFailure(
    `Port ${numbers} ${taken.length > 1 ? "are" : "is"} in use by another program`,
    "Stop that program (another stack and the Supabase CLI use the same ports), " +
      `or start on other ports: ${moved}`,
  );
}

/**
 * Below the ports that systems assign to connections (Linux from 32768, macOS from 49152). Otherwise a connection could take
 * a port after it was chosen and before something listens on it.
 */
const FIRST_PORT = 10_000;

const BLOCK_SIZE = 100;

const BLOCKS = 220;

/** A range of ports that belongs to this process. */
interface Block {
  /** Listens on the first port of the block, so that no other process claims the block. */
  claim: Deno.Listener;
  first: number;
  used: number;
}

let block: Block | undefined;

/** Chooses a free port on 127.0.0.1. No other process that calls this gets it while this one runs. */
export function freePort(): number {
  const own = block ??= claimBlock();
  for (let tried = 1; tried < BLOCK_SIZE; tried++) {
    const port = own.first + 1 + own.used++ % (BLOCK_SIZE - 1);
    if (isFree(port)) return port;
  }
  throw noPorts();
}

/** Chooses free ports for a stack. */
export function freePorts(): { apiPort: number; dbPort: number; mailPort: number } {
  return { apiPort: freePort(), dbPort: freePort(), mailPort: freePort() };
}

/** Returns the ports that this process has not used, as `FIRST-LAST`, for processes that it starts. */
export function portsLeft(): string {
  const { first, used } = block ??= claimBlock();
  return `${first + 1 + used}-${first + BLOCK_SIZE - 1}`;
}

function claimBlock(): Block {
  const start = Math.floor(Math.random() * BLOCKS);
  for (let n = 0; n < BLOCKS; n++) {
    const first = FIRST_PORT + (start + n) % BLOCKS * BLOCK_SIZE;
    const claim = listen(first);
    if (typeof claim === "object") return { claim, first, used: 0 };
  }
  throw noPorts();
}

function noPorts(): StackFailure {
  return new StackFailure(
    `None of the ports ${FIRST_PORT} to ${FIRST_PORT + BLOCKS * BLOCK_SIZE - 1} is free`,
    "Stop the programs that use them.",
  );
}

function isPermitted(port: number): boolean {
  const listener = listen(port);
  if (typeof listener === "object") listener.close();
  return listener !== "not permitted";
}

function isFree(port: number): boolean {
  const listener = listen(port);
  if (typeof listener !== "object") return false;
  listener.close();
  return true;
}

/** Listens on a port, or says why this process cannot. */
function listen(port: number): Deno.Listener | "taken" | "not permitted" {
  try {
    return Deno.listen({ hostname: "127.0.0.1", port });
  } catch (error) {
    return error instanceof Deno.errors.PermissionDenied ? "not permitted" : "taken";
  }
}

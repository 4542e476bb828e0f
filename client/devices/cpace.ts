/**
 * CPace, a key exchange with a short code: draft-irtf-cfrg-cpace-21, the suite CPACE-RISTR255-SHA512 with an initiator and
 * a responder. Whoever does not know the code has one guess in each exchange, and cannot try codes on what was sent.
 * The group is that of @noble/curves, which is loaded when it is needed.
 *
 * @module
 */

import { randomBytes, webcrypto } from "../crypto/aes_gcm.ts";
import type { Bytes } from "../crypto/encoding.ts";

/** What both sides must have in common. */
export interface Exchange {
  /** The code. */
  readonly prs: Bytes;
  /** Who takes part, and in what. */
  readonly ci: Bytes;
  /** The id of this exchange. */
  readonly sid: Bytes;
}

/** What one side sends: its share, and data that is authenticated with it. */
export interface Message {
  readonly share: Bytes;
  readonly ad: Bytes;
}

/** Bytes of a scalar and of a share. */
export const SHARE_BYTES = 32;

const DSI = new TextEncoder().encode("CPaceRistretto255");
const DSI_ISK = new TextEncoder().encode("CPaceRistretto255_ISK");

/** Bytes that SHA-512 reads at a time. The code and its padding fill them, so that its length does not show in the time. */
const BLOCK_BYTES = 128;

const loadGroup = () => import("@noble/curves/ed25519.js");

async function sha512(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await webcrypto().digest("SHA-512", bytes));
}

/** Joins parts, each with its length in front (LEB128). */
export function joinWithLengths(...parts: Uint8Array[]): Bytes {
  const bytes: number[] = [];
  for (const part of parts) {
    let length = part.length;
    for (; length > 127; length >>= 7) bytes.push(length & 127 | 128);
    bytes.push(length, ...part);
  }
  return Uint8Array.from(bytes);
}

/** Returns the text that the generator is derived from. */
export function generatorString({ prs, ci, sid }: Exchange): Bytes {
  const used = joinWithLengths(DSI).length + joinWithLengths(prs).length;
  const padding = new Uint8Array(Math.max(0, BLOCK_BYTES - 1 - used));
  return joinWithLengths(DSI, prs, padding, ci, sid);
}

/** Makes a random scalar: below 2^252, and so below the order of the group. */
export function randomScalar(): Bytes {
  const scalar = randomBytes(SHARE_BYTES);
  scalar[SHARE_BYTES - 1]! &= 15;
  return scalar;
}

function toNumber(scalar: Bytes): bigint {
  return scalar.reduceRight((number, byte) => number << 8n | BigInt(byte), 0n);
}

/**
 * Makes a share.
 *
 * @param exchange what both sides have in common
 * @param scalar from `randomScalar`: a secret, for this exchange alone
 */
export async function makeShare(exchange: Exchange, scalar: Bytes): Promise<Bytes> {
  const { ristretto255_hasher } = await loadGroup();
  const generator = ristretto255_hasher.deriveToCurve!(await sha512(generatorString(exchange)));
  return Uint8Array.from(generator.multiply(toNumber(scalar)).toBytes());
}

/**
 * Makes the key that both sides have if they had the same code.
 *
 * @param sid the id of the exchange
 * @param scalar of this side
 * @param other the share of the other side
 * @param transcript what the initiator sent, and what the responder sent
 * @returns 64 bytes; undefined if the other share is not one, which ends the exchange
 */
export async function exchangeKey(
  sid: Bytes,
  scalar: Bytes,
  other: Bytes,
  transcript: readonly [Message, Message],
): Promise<Bytes | undefined> {
  const { ristretto255: { Point } } = await loadGroup();
  let point;
  try {
    point = Point.fromBytes(other);
  } catch {
    return undefined;
  }
  // With it, the key would not depend on the code.
  if (point.equals(Point.ZERO)) return undefined;
  const secret = point.multiply(toNumber(scalar)).toBytes();
  const sent = transcript.map(({ share, ad }) => joinWithLengths(share, ad));
  const parts = [joinWithLengths(DSI_ISK, sid, secret), ...sent];
  return await sha512(Uint8Array.from(parts.flatMap((part) => [...part])));
}

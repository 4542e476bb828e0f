/**
 * Messages of the Phoenix protocol as frames of a WebSocket, in the two versions that supabase-js speaks: objects (1.0.0), and
 * arrays with binary frames for broadcasts (2.0.0).
 *
 * @module
 */

/** Data of a broadcast that is bytes instead of JSON. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** A message from a client. */
export interface Incoming {
  joinRef: string | null;
  ref: string | null;
  topic: string;
  event: string;
  payload: Record<string, unknown>;
}

/** A message to a client. */
export interface Outgoing {
  joinRef?: string | null;
  ref?: string | null;
  topic: string;
  event: string;
  payload: Record<string, unknown>;
}

/** Version of the protocol. */
export type Version = "1.0.0" | "2.0.0";

/** Kinds of binary frames: a broadcast from a client, and one to it. */
const PUSH = 3;
const BROADCAST = 4;

/** How the payload of a binary frame is encoded. */
const JSON_ENCODING = 1;

/**
 * Reads a frame.
 *
 * @throws if it is malformed.
 */
export function decodeFrame(data: string | ArrayBuffer, version: Version): Incoming {
  if (typeof data !== "string") return decodeBinary(new Uint8Array(data));
  const value = JSON.parse(data);
  const [joinRef, ref, topic, event, payload] = version === "2.0.0"
    ? value
    : [value.join_ref, value.ref, value.topic, value.event, value.payload];
  if (typeof topic !== "string" || typeof event !== "string") {
    throw new TypeError("A message needs a topic and an event");
  }
  return {
    joinRef: joinRef ?? null,
    ref: ref ?? null,
    topic,
    event,
    payload: typeof payload === "object" && payload !== null ? payload : {},
  };
}

function decodeBinary(bytes: Bytes): Incoming {
  const [kind, ...sizes] = bytes.subarray(0, 6);
  if (kind !== PUSH || bytes.length < 7) throw new TypeError("Unknown kind of binary message");
  let offset = 7;
  const [joinRef, ref, topic, event] = sizes.map((size) => {
    const text = new TextDecoder().decode(bytes.subarray(offset, offset += size));
    return text;
  });
  const data = bytes.slice(offset);
  return {
    joinRef: joinRef || null,
    ref: ref || null,
    topic: topic ?? "",
    event: "broadcast",
    payload: {
      type: "broadcast",
      event,
      payload: bytes[6] === JSON_ENCODING ? JSON.parse(new TextDecoder().decode(data)) : data,
    },
  };
}

/** Writes a frame. Returns nothing for a broadcast of bytes in version 1.0.0, which cannot carry it. */
export function encodeFrame(message: Outgoing, version: Version): string | Bytes | undefined {
  const { joinRef = null, ref = null, topic, event, payload } = message;
  if (payload.payload instanceof Uint8Array) {
    return version === "2.0.0" ? encodeBinary(topic, payload) : undefined;
  }
  return JSON.stringify(
    version === "2.0.0"
      ? [joinRef, ref, topic, event, payload]
      : { join_ref: joinRef, ref, topic, event, payload },
  );
}

function encodeBinary(topic: string, payload: Record<string, unknown>): Bytes {
  const encoder = new TextEncoder();
  const parts = [encoder.encode(topic), encoder.encode(String(payload.event)), new Uint8Array()];
  const data = payload.payload as Bytes;
  const header = Uint8Array.of(BROADCAST, ...parts.map((part) => part.length), 0);
  const all = [header, ...parts, data];
  const frame = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of all) {
    frame.set(part, offset);
    offset += part.length;
  }
  return frame;
}

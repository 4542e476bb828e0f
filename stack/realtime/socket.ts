/**
 * The WebSocket of one client, with all its channels.
 *
 * @module
 */

import { Channel, type Connection } from "./channel.ts";
import { decodeFrame, encodeFrame, type Incoming, type Outgoing, type Version } from "./frames.ts";
import type { Hub } from "./hub.ts";
import { Refused } from "./tokens.ts";

/** Bytes of the largest frame of a client. */
const MAX_FRAME = 5_000_000;

/** Bytes that may wait for a client that does not read. */
const MAX_WAITING = 64_000_000;

/** Codes of the WebSocket protocol. */
const UNSUPPORTED_DATA = 1003;
const TOO_BIG = 1009;
const TRY_AGAIN_LATER = 1013;

/** Serves a client until its socket closes. */
export function serveSocket(
  socket: WebSocket,
  version: Version,
  hub: Hub,
  client: Pick<Connection, "keys" | "claims" | "headers">,
): void {
  const channels = new Map<string, Channel>();
  const send = (message: Outgoing) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount > MAX_WAITING) return socket.close(TRY_AGAIN_LATER);
    const frame = encodeFrame(message, version);
    if (frame !== undefined) socket.send(frame);
  };
  const connection: Connection = {
    ...client,
    send,
    forget(channel) {
      if (channels.get(channel.topic) === channel) channels.delete(channel.topic);
    },
  };
  const reply = (
    { joinRef, ref, topic }: Incoming,
    status: "ok" | "error",
    response: Record<string, unknown> | string = {},
  ) => send({ joinRef, ref, topic, event: "phx_reply", payload: { status, response } });

  const join = async (message: Incoming) => {
    const { topic, joinRef, ref, payload } = message;
    if (topic === "realtime:") {
      const reason = "TopicNameRequired: You must provide a topic name";
      return reply(message, "error", { reason });
    }
    // The client has forgotten the channel that it had under this name.
    channels.get(topic)?.close();
    const channel = new Channel(hub, connection, topic, joinRef ?? ref, payload);
    channels.set(topic, channel);
    try {
      const response = await channel.join();
      if (channels.get(topic) !== channel) {
        return reply(message, "error", {
          reason: "The channel was closed while the client was joining it",
        });
      }
      reply(message, "ok", response);
      channel.start();
    } catch (error) {
      channel.drop();
      hub.rest();
      const reason = error instanceof Refused ? error.message : "Unknown Error on Channel";
      reply(message, "error", { reason });
    }
  };

  const handle = async (message: Incoming) => {
    const { topic, event, payload } = message;
    if (event === "phx_join" && topic.startsWith("realtime:")) return await join(message);
    const channel = channels.get(topic);
    if (!channel) return reply(message, "error", { reason: "unmatched topic" });
    if (event === "phx_leave") {
      reply(message, "ok");
      return channel.close();
    }
    const answer = await channel.receive(event, payload);
    if (answer) reply(message, answer.status, answer.response);
  };

  // One after the other, as the client sent them.
  let handled = Promise.resolve();
  socket.onmessage = ({ data }) => {
    const size = typeof data === "string" ? data.length : data.byteLength;
    if (size > MAX_FRAME) return socket.close(TOO_BIG);
    let message: Incoming;
    try {
      message = decodeFrame(data, version);
    } catch {
      return socket.close(UNSUPPORTED_DATA, "Malformed message");
    }
    if (message.topic === "phoenix") {
      if (message.event === "heartbeat") reply(message, "ok");
      return;
    }
    handled = handled.then(() => handle(message)).catch(() => channels.get(message.topic)?.fail());
  };
  socket.onclose = () => {
    for (const channel of [...channels.values()]) channel.drop();
  };
  // A close follows.
  socket.onerror = (event) => event.preventDefault();
}

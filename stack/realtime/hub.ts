/**
 * The channels of all clients: who receives what. The database is open while there are channels.
 *
 * @module
 */

import type { DatabaseAccess } from "../postgres.ts";
import type { Channel } from "./channel.ts";
import { openDatabase, type RealtimeDatabase } from "./database.ts";
import { type Diff, type Members, Presence } from "./presence.ts";

/** Milliseconds after the last channel in which the database stays open. */
const IDLE_MS = 30_000;

/** A name of a channel: a private one and a public one may have the same topic, and have nothing in common. */
export interface Address {
  topic: string;
  private: boolean;
}

const keyOf = (address: Address) => `${address.private ? "private" : "public"} ${address.topic}`;

/** All channels of a stack. */
export class Hub {
  #channels = new Map<string, Set<Channel>>();
  #presences = new Map<string, Presence<Channel>>();
  #subscribers = new Map<number, Channel>();
  #database: Promise<RealtimeDatabase> | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #lastId = 0;

  constructor(private access: DatabaseAccess) {}

  /**
   * Opens the database, unless it is open.
   *
   * @throws if it cannot be reached.
   */
  database(): Promise<RealtimeDatabase> {
    clearTimeout(this.#idle);
    const opening = this.#database ??= openDatabase(this.access, {
      change: (ids, data) => this.#change(ids, data),
      message: ({ topic, private: isPrivate, event, payload, id }) =>
        this.broadcast({ topic, private: isPrivate }, {
          type: "broadcast",
          event,
          payload,
          meta: { id },
        }),
      lost: () => {
        if (this.#database === opening) this.#database = undefined;
        for (const channel of this.#all()) channel.fail();
      },
    });
    opening.catch(() => {
      if (this.#database === opening) this.#database = undefined;
    });
    return opening;
  }

  /** Returns an id for a subscription of a channel. */
  newSubscription(channel: Channel): number {
    this.#subscribers.set(++this.#lastId, channel);
    return this.#lastId;
  }

  add(channel: Channel): void {
    const key = keyOf(channel.address);
    const members = this.#channels.get(key) ?? new Set();
    this.#channels.set(key, members.add(channel));
  }

  /** Removes a channel: nothing more is sent to it. */
  remove(channel: Channel): void {
    const key = keyOf(channel.address);
    const members = this.#channels.get(key);
    if (members?.delete(channel) && members.size === 0) this.#channels.delete(key);
    this.untrack(channel);
    const ids = channel.subscriptionIds;
    for (const id of ids) this.#subscribers.delete(id);
    this.#database?.then((database) => database.unsubscribe(ids), () => {});
    this.rest();
  }

  /** Closes the database if nothing needs it for a while. */
  rest(): void {
    clearTimeout(this.#idle);
    if (this.#channels.size === 0) this.#idle = setTimeout(() => this.close(), IDLE_MS);
  }

  /** Sends a broadcast to the channels of an address that may receive it. */
  broadcast(address: Address, payload: Record<string, unknown>, except?: Channel): void {
    for (const channel of this.#channels.get(keyOf(address)) ?? []) {
      if (channel !== except && channel.rights.broadcast_read) channel.push("broadcast", payload);
    }
  }

  track(channel: Channel, payload: Record<string, unknown>): void {
    const key = keyOf(channel.address);
    const presence = this.#presences.get(key) ?? new Presence();
    this.#presences.set(key, presence);
    this.#present(channel, presence.track(channel, channel.presenceKey, payload));
  }

  untrack(channel: Channel): void {
    const key = keyOf(channel.address);
    const presence = this.#presences.get(key);
    const diff = presence?.untrack(channel);
    if (presence?.isEmpty) this.#presences.delete(key);
    if (diff) this.#present(channel, diff);
  }

  /** Who is present. */
  members(address: Address): Members {
    return this.#presences.get(keyOf(address))?.state() ?? {};
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const closing = this.#database;
    this.#database = undefined;
    await closing?.then((database) => database.close(), () => {});
  }

  #present(of: Channel, diff: Diff): void {
    for (const channel of this.#channels.get(keyOf(of.address)) ?? []) {
      if (channel.rights.presence_read) channel.push("presence_diff", diff);
    }
  }

  #change(ids: number[], data: Record<string, unknown>): void {
    const byChannel = Map.groupBy(ids, (id) => this.#subscribers.get(id));
    for (const [channel, own] of byChannel) channel?.push("postgres_changes", { ids: own, data });
  }

  #all(): Channel[] {
    return [...this.#channels.values()].flatMap((members) => [...members]);
  }
}

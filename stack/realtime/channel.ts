/**
 * One client in one channel: joins, listens, broadcasts, is present, changes its token.
 *
 * @module
 */

import type { Rights } from "./database.ts";
import type { Outgoing } from "./frames.ts";
import type { Address, Hub } from "./hub.ts";
import { readSubscription } from "./subscriptions.ts";
import { type Claims, claimsOfToken, Refused } from "./tokens.ts";
import type { StackKeys } from "../keys.ts";

/** The connection of a client. */
export interface Connection {
  keys: StackKeys;
  /** Claims of its API key. */
  claims: Claims;
  /** Headers of its request, which policies may read. */
  headers: Record<string, string>;
  send(message: Outgoing): void;
  /** Forgets a channel that has ended. */
  forget(channel: Channel): void;
}

/** What a client asks for when it joins. */
interface Join {
  access_token?: unknown;
  config?: {
    broadcast?: { ack?: boolean; self?: boolean };
    presence?: { key?: string; enabled?: boolean };
    postgres_changes?: (Record<string, unknown> | null)[];
    postgres_changes_options?: { wait?: boolean };
    private?: boolean;
  };
}

/** A public channel has no policies. */
const ALL_RIGHTS: Rights = {
  broadcast_read: true,
  presence_read: true,
  broadcast_write: true,
  presence_write: true,
};

/** Characters of the largest payload of a broadcast, and of what a member says of itself. */
const MAX_PAYLOAD = 3_000_000;

/** Milliseconds after which a token is looked at again. Timers cannot run much longer than that. */
const TOKEN_MS = 3_600_000;

/** A client's membership in a channel, from its join to its end. */
export class Channel {
  readonly address: Address;
  readonly presenceKey: string;
  rights = ALL_RIGHTS;
  #config: NonNullable<Join["config"]>;
  #subscriptions = new Map<number, Record<string, unknown>>();
  #token: string | undefined;
  #expiry: ReturnType<typeof setTimeout> | undefined;
  /** What is sent before the join is answered. */
  #held: Outgoing[] | undefined = [];
  #ended = false;

  constructor(
    private hub: Hub,
    private connection: Connection,
    readonly topic: string,
    readonly joinRef: string | null,
    join: Join,
  ) {
    this.#config = join.config ?? {};
    this.address = {
      topic: topic.slice("realtime:".length),
      private: this.#config.private === true,
    };
    this.presenceKey = this.#config.presence?.key || crypto.randomUUID();
    this.#token = tokenIn(join.access_token);
  }

  get subscriptionIds(): number[] {
    return [...this.#subscriptions.keys()];
  }

  /**
   * Joins.
   *
   * @returns The response.
   * @throws {Refused} with the reason why it may not.
   */
  async join(): Promise<Record<string, unknown>> {
    const claims = await this.#claims();
    await this.#authorize(claims);
    const changes = (this.#config.postgres_changes ?? []).filter((one) => one !== null);
    for (const params of changes) {
      this.#subscriptions.set(this.hub.newSubscription(this), params);
    }
    this.hub.add(this);
    const status = await this.#subscribe(claims);
    if (status?.status === "error" && this.#config.postgres_changes_options?.wait) {
      throw new Refused(status.message);
    }
    if (status) this.#system("postgres_changes", status.status, status.message);
    if (this.#config.presence?.enabled && this.rights.presence_read) {
      this.push("presence_state", this.hub.members(this.address));
    }
    return {
      postgres_changes: [...this.#subscriptions].map(([id, params]) => ({ ...params, id })),
    };
  }

  /** Sends what happened since the join began. To be called after its answer. */
  start(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const message of held) this.connection.send(message);
  }

  /** Handles a message. Returns the status and response of its reply, or nothing when there is none. */
  async receive(
    event: string,
    payload: Record<string, unknown>,
  ): Promise<{ status: "ok" | "error"; response: Record<string, unknown> | string } | undefined> {
    switch (event) {
      case "broadcast": {
        if (!this.rights.broadcast_write) return;
        const large = sizeOf(payload.payload) > MAX_PAYLOAD;
        const except = this.#config.broadcast?.self ? undefined : this;
        if (!large) this.hub.broadcast(this.address, payload, except);
        if (!this.#config.broadcast?.ack) return;
        return large
          ? { status: "error", response: "payload_size_exceeded" }
          : { status: "ok", response: {} };
      }
      case "presence":
        return this.#presence(payload);
      case "access_token":
        await this.#changeToken(payload.access_token);
    }
  }

  /** Sends a message to the client. */
  push(event: string, payload: Record<string, unknown>): void {
    if (this.#ended) return;
    const message = { topic: this.topic, event, payload };
    if (this.#held) this.#held.push(message);
    else this.connection.send(message);
  }

  /** Ends the channel: the client left, or may no longer listen. */
  close(): void {
    this.#end("phx_close");
  }

  /** Ends the channel with an error, after which the client joins again. */
  fail(): void {
    this.#end("phx_error");
  }

  /** Ends the channel without a word. */
  drop(): void {
    this.#end(undefined);
  }

  #end(event: string | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#expiry);
    this.hub.remove(this);
    this.connection.forget(this);
    // Before its answer, a failed join speaks for itself.
    if (!event || this.#held) return;
    const { topic, joinRef } = this;
    this.connection.send({ topic, event, joinRef, ref: joinRef, payload: {} });
  }

  #presence(payload: Record<string, unknown>) {
    const what = String(payload.event).toLowerCase();
    const said = payload.payload ?? {};
    if (what === "untrack") this.hub.untrack(this);
    else if (what !== "track" || !this.rights.presence_write) {
      return { status: "error" as const, response: {} };
    } else if (typeof said !== "object") {
      const reason = "Presence track payload must be a map";
      return { status: "error" as const, response: { reason } };
    } else if (sizeOf(said) > MAX_PAYLOAD) {
      this.#shutDown("Track message size exceeded");
      return;
    } else {
      this.hub.track(this, said as Record<string, unknown>);
      // Only now is it known that the client wants to know.
      if (!this.#config.presence?.enabled && this.rights.presence_read) {
        this.#config.presence = { ...this.#config.presence, enabled: true };
        this.push("presence_state", this.hub.members(this.address));
      }
    }
    return { status: "ok" as const, response: {} };
  }

  async #changeToken(value: unknown): Promise<void> {
    const token = tokenIn(value);
    if (token === undefined || token === this.#token) return;
    this.#token = token;
    try {
      const before = this.rights;
      const claims = await this.#claims();
      await this.#authorize(claims);
      const { broadcast_read, presence_read } = this.rights;
      if (
        before.broadcast_read && !broadcast_read || before.presence_read && !presence_read
      ) {
        throw new Refused(
          `You no longer have permission to read from this Channel topic: ${this.address.topic}`,
        );
      }
      const status = await this.#subscribe(claims);
      if (status) this.#system("postgres_changes", status.status, status.message);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#shutDown(error.message);
    }
  }

  /** Who the client is, now. Ends the channel when the token expires. */
  async #claims(): Promise<Claims> {
    clearTimeout(this.#expiry);
    if (this.#token === undefined) return this.connection.claims;
    const claims = await claimsOfToken(this.#token, this.connection.keys);
    const left = (claims.exp ?? 0) * 1000 - Date.now();
    this.#expiry = setTimeout(() => {
      if (this.#ended) return;
      this.#claims().catch((error) => this.#shutDown(error.message));
    }, Math.min(Math.max(left, 0) + 1, TOKEN_MS));
    return claims;
  }

  async #authorize(claims: Claims): Promise<void> {
    const { topic, private: isPrivate } = this.address;
    const database = await this.hub.database().catch(() => {
      throw new Refused(
        "UnableToConnectToProject: Realtime was unable to connect to the project database",
      );
    });
    if (!isPrivate) return;
    const nothing = Object.fromEntries(Object.keys(ALL_RIGHTS).map((right) => [right, false]));
    // A policy that fails permits nothing.
    this.rights = await database.rights(topic, claims, this.connection.headers)
      .catch(() => nothing as unknown as Rights);
    if (!this.rights.broadcast_read && !this.rights.presence_read) {
      throw new Refused(
        `Unauthorized: You do not have permissions to read from this Channel topic: ${topic}`,
      );
    }
  }

  async #subscribe(claims: Claims) {
    if (this.#subscriptions.size === 0) return;
    try {
      const subscriptions = [...this.#subscriptions].map(([id, params]) =>
        [id, readSubscription(params)] as const
      );
      const database = await this.hub.database();
      await database.subscribe(new Map(subscriptions), claims);
      // The client may have left in the meantime.
      if (this.#ended) database.unsubscribe(this.subscriptionIds);
      return { status: "ok", message: "Subscribed to PostgreSQL" };
    } catch (error) {
      return { status: "error", message: (error as Error).message };
    }
  }

  #system(extension: string, status: string, message: string): void {
    this.push("system", { extension, status, message, channel: this.address.topic });
  }

  #shutDown(message: string): void {
    this.#system("system", "error", message);
    this.close();
  }
}

/** The session token that a client sent. In its place it may send its API key. */
function tokenIn(value: unknown): string | undefined {
  return typeof value === "string" && !value.startsWith("sb_") ? value : undefined;
}

function sizeOf(payload: unknown): number {
  return payload instanceof Uint8Array ? payload.length : (JSON.stringify(payload) ?? "").length;
}

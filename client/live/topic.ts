/**
 * A private topic of Realtime, which several subscriptions of a client share: supabase-js allows one channel for each.
 *
 * @module
 */

import type { RealtimeChannel } from "@supabase/supabase-js";

import { pause } from "../api/support.ts";
import type { AnySupabaseClient } from "../chats/supabase_client.ts";

/** Hears a topic. */
export interface Listener {
  /** The topic was joined, or joined again: events may have been missed. */
  subscribed(): void;
  /** The topic cannot be heard at present. */
  interrupted(reason?: Error): void;
  event(event: string, payload: Record<string, unknown>): void;
}

/** Pause before a topic that the server has closed is joined again. */
const REJOIN_MS = 1000;

/** A topic, joined while it has listeners. */
export class Topic {
  subscribed = false;
  readonly #supabase: AnySupabaseClient;
  readonly #name: string;
  readonly #listeners = new Set<Listener>();
  #channel: RealtimeChannel | undefined;
  #work: Promise<void> = Promise.resolve();

  /**
   * @param supabase client of the user
   * @param name of the topic
   */
  constructor(supabase: AnySupabaseClient, name: string) {
    this.#supabase = supabase;
    this.#name = name;
  }

  /** Adds a listener. If the topic is already joined, it hears so at once. */
  add(listener: Listener): void {
    this.#listeners.add(listener);
    if (this.subscribed) listener.subscribed();
    this.#settle();
  }

  /** Removes a listener. */
  remove(listener: Listener): void {
    this.#listeners.delete(listener);
    this.#settle();
  }

  /** Joins or leaves, one after the other: a channel that is being left cannot be joined. */
  #settle(): void {
    this.#work = this.#work.then(async () => {
      if (this.#listeners.size > 0 && !this.#channel) await this.#join();
      else if (this.#listeners.size === 0 && this.#channel) await this.#leave();
    });
  }

  async #join(): Promise<void> {
    try {
      // A private topic is joined with the token of the user, which the first subscription does not have yet.
      await this.#supabase.realtime.setAuth();
    } catch (error) {
      return this.#lost(undefined, error as Error);
    }
    const channel = this.#supabase.channel(this.#name, {
      config: { private: true },
    });
    this.#channel = channel;
    channel.on("broadcast", { event: "*" }, ({ event, payload }) => {
      for (const listener of [...this.#listeners]) {
        listener.event(event, payload);
      }
    });
    channel.subscribe((status, reason) => {
      if (this.#channel !== channel) return;
      if (status === "SUBSCRIBED") {
        this.subscribed = true;
        for (const listener of [...this.#listeners]) listener.subscribed();
      } else if (status === "CLOSED") this.#lost(channel, reason);
      else this.#interrupt(reason);
    });
  }

  async #leave(): Promise<void> {
    const channel = this.#channel!;
    this.#channel = undefined;
    this.subscribed = false;
    await this.#supabase.removeChannel(channel);
  }

  /** supabase-js joins again after an error, but not after the server has closed the channel. */
  #lost(channel: RealtimeChannel | undefined, reason?: Error): void {
    this.#channel = undefined;
    this.#interrupt(reason);
    this.#work = this.#work.then(async () => {
      if (channel) await this.#supabase.removeChannel(channel);
      await pause(REJOIN_MS);
    });
    this.#settle();
  }

  #interrupt(reason?: Error): void {
    this.subscribed = false;
    for (const listener of [...this.#listeners]) listener.interrupted(reason);
  }
}

/** The topics of a client, by name. */
class Topics {
  readonly #supabase: AnySupabaseClient;
  readonly #topics = new Map<string, Topic>();

  constructor(supabase: AnySupabaseClient) {
    this.#supabase = supabase;
  }

  get(name: string): Topic {
    let topic = this.#topics.get(name);
    if (!topic) this.#topics.set(name, topic = new Topic(this.#supabase, name));
    return topic;
  }
}

const topics = new WeakMap<AnySupabaseClient, Topics>();

/** Returns the topics of a client. */
export function topicsOf(supabase: AnySupabaseClient): Topics {
  let known = topics.get(supabase);
  if (!known) topics.set(supabase, known = new Topics(supabase));
  return known;
}

/**
 * Hears what has changed on the server, by the wake-ups of `docs/realtime.md`.
 *
 * @module
 */

import type { AnySupabaseClient } from "../chats/supabase_client.ts";
import { type Listener, type Topic, topicsOf } from "./topic.ts";

/**
 * A wake-up. With `missed`, it is not known what has changed: the subscription has just begun, or its connection was
 * lost for a while. Read everything again then. The payload of any other wake-up says what has changed, but never the
 * new content.
 */
export type WakeUp<Payload> =
  & ({ readonly missed: true } | { readonly missed: false } & Readonly<Payload>)
  & About;

/** Whose topic the wake-up came on; neither member for the user's own. */
export interface About {
  /** The team of `teams`. */
  readonly team_id?: string;
  /** The project of `projects`, or to which the messages or files belong. */
  readonly project_id?: string;
}

/** More credits can be spent than before. */
export interface CreditsPayload {
  version: number;
  balance: number;
  available: number;
}

/** More can be spent than before on an account in another unit than credits. */
export interface UnitsPayload extends CreditsPayload {
  unit: string;
}

/** An account has fallen below its alert threshold. */
export interface AlertsPayload {
  /** Of the account, if it is not in credits. */
  unit?: string;
}

/** An encrypted chat was saved or deleted. */
export interface ChatsPayload {
  /** Number of the last change. */
  sequence: number;
}

/** What happened to rows. */
export type Operation = "insert" | "update" | "delete";

/** Messages or drafts were saved, changed or deleted, in a project or a conversation. */
export interface MessagesPayload {
  conversation_id?: string;
  operation: Operation;
}

/** A file was completed, changed or deleted. */
export interface FilesPayload {
  bucket: string;
  operation: Operation;
}

/** `connecting` until it is `live`, and while it is interrupted. `stopped` after `stop()`, and without a user. */
export type LiveStatus = "connecting" | "live" | "stopped";

/** What to listen to. */
export interface LiveOptions {
  onCredits?: (wakeUp: WakeUp<CreditsPayload>) => unknown;
  onUnits?: (wakeUp: WakeUp<UnitsPayload>) => unknown;
  onAlerts?: (wakeUp: WakeUp<AlertsPayload>) => unknown;
  onChats?: (wakeUp: WakeUp<ChatsPayload>) => unknown;
  onMessages?: (wakeUp: WakeUp<MessagesPayload>) => unknown;
  onFiles?: (wakeUp: WakeUp<FilesPayload>) => unknown;
  /** The connection; with the reason if the server refuses it. */
  onStatus?: (status: LiveStatus, reason?: Error) => unknown;
  /** Ids of teams whose credits and alerts to hear, too. */
  teams?: readonly string[];
  /** Ids of projects of teams whose messages and files to hear, too. */
  projects?: readonly string[];
  /** Only for a supabase-js client with `accessToken`, which cannot say who the user is. */
  user_id?: string;
}

/** A subscription. */
export interface Live {
  readonly status: LiveStatus;
  /** Ends the subscription. No handler is called afterwards. */
  stop(): void;
}

/** The handlers of each kind of topic, by the name of the event. */
const HANDLERS = {
  user: {
    credits: "onCredits",
    units: "onUnits",
    alerts: "onAlerts",
    chats: "onChats",
    messages: "onMessages",
    files: "onFiles",
  },
  team: { credits: "onCredits", units: "onUnits", alerts: "onAlerts" },
  project: { messages: "onMessages", files: "onFiles" },
} as const;

type Handler = (wakeUp: Record<string, unknown>) => unknown;

/**
 * Listens to the user's topics, as whoever is signed in: see `Strongroom.live`.
 *
 * @param supabase client of the user
 * @param options handlers, and the teams and projects to listen to
 */
export function live(supabase: AnySupabaseClient, options: LiveOptions): Live {
  const subscription = new Subscription(supabase, options);
  if (options.user_id) {
    subscription.follow(options.user_id);
    return subscription;
  }
  const { data } = supabase.auth.onAuthStateChange((_event, session) => {
    subscription.follow(session?.user.id);
  });
  subscription.atEnd = () => data.subscription.unsubscribe();
  return subscription;
}

class Subscription implements Live {
  status: LiveStatus = "connecting";
  atEnd: (() => void) | undefined;
  readonly #supabase: AnySupabaseClient;
  readonly #options: LiveOptions;
  /** Null before it is known who is signed in. */
  #user: string | undefined | null = null;
  #joined = new Map<Topic, Listener>();
  #ended = false;

  constructor(supabase: AnySupabaseClient, options: LiveOptions) {
    this.#supabase = supabase;
    this.#options = options;
  }

  /** Listens to the topics of this user instead of the previous one. */
  follow(user_id: string | undefined): void {
    if (this.#ended || user_id === this.#user) return;
    this.#leave();
    this.#user = user_id;
    if (!user_id) return this.#report("stopped");
    this.#report("connecting");
    this.#join("user", user_id, {});
    for (const team_id of this.#options.teams ?? []) {
      this.#join("team", team_id, { team_id });
    }
    for (const project_id of this.#options.projects ?? []) {
      this.#join("project", project_id, { project_id });
    }
  }

  stop(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.atEnd?.();
    this.#leave();
    this.#report("stopped");
  }

  #join(kind: keyof typeof HANDLERS, id: string, about: About): void {
    const handlers = Object.entries(HANDLERS[kind]).flatMap(([event, name]) => {
      const handler = this.#options[name] as Handler | undefined;
      return handler ? [[event, handler] as const] : [];
    });
    if (handlers.length === 0) return;
    const byEvent = new Map(handlers);
    const listener: Listener = {
      subscribed: () => {
        this.#settle();
        for (const handler of byEvent.values()) {
          this.#call(listener, handler, { missed: true, ...about });
        }
      },
      interrupted: (reason) => this.#report("connecting", reason),
      event: (event, payload) => {
        const handler = byEvent.get(event);
        if (handler) {
          this.#call(listener, handler, {
            ...payload,
            missed: false,
            ...about,
          });
        }
      },
    };
    const topic = topicsOf(this.#supabase).get(`${kind}:${id}`);
    this.#joined.set(topic, listener);
    topic.add(listener);
  }

  #leave(): void {
    const joined = this.#joined;
    this.#joined = new Map();
    for (const [topic, listener] of joined) topic.remove(listener);
  }

  /** Later, so that a handler that throws does not keep other handlers from being called. */
  #call(
    listener: Listener,
    handler: Handler,
    wakeUp: Record<string, unknown>,
  ): void {
    void Promise.resolve().then(() => {
      if ([...this.#joined.values()].includes(listener)) return handler(wakeUp);
    });
  }

  #settle(): void {
    if ([...this.#joined.keys()].every((topic) => topic.subscribed)) {
      this.#report("live");
    }
  }

  #report(status: LiveStatus, reason?: Error): void {
    if (status === this.status && !reason) return;
    this.status = status;
    this.#options.onStatus?.(status, reason);
  }
}

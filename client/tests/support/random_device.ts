/**
 * A device that does random things and notes the answers.
 *
 * @module
 */

import assert from "node:assert/strict";

import type { TestUser } from "../../../supabase/functions/_testing/testing.ts";
import {
  type Chat,
  ChatConflict,
  Chats,
  ChatsError,
  type ChatVersion,
  type DeviceKey,
  MemoryStore,
} from "../../mod.ts";
import { device } from "./devices.ts";
import { FaultyNetwork } from "./faulty_network.ts";
import type { Entry, Journal } from "./journal.ts";

/** Fewer chats make more conflicts. */
const MOST_CHATS = 8;

/** The share of unanswered changes that a device forgets, as if it had been switched off. */
const FORGOTTEN = 0.3;

/** The chance in each step to repeat an unanswered change. It is low, so that the chat has often changed by then. */
const REPEATED = 0.1;

/** What a device does, and the weight of each action. */
const ACTIONS = {
  sync: 20,
  open: 15,
  list: 2,
  create: 8,
  append: 28,
  save: 8,
  compact: 4,
  rename: 5,
  star: 5,
  remove: 2,
  restart: 1,
} as const;

type Action = keyof typeof ACTIONS;

/** An unanswered change. */
interface Pending {
  entry: Entry;
  repeat: () => Promise<unknown>;
}

/** One of the devices of a user. */
export class RandomDevice {
  chats: Chats;
  readonly network: FaultyNetwork;
  readonly conflicts: ChatConflict[] = [];
  readonly #user: TestUser;
  readonly #name: number;
  readonly #random: () => number;
  readonly #journal: Journal;
  readonly #store = new MemoryStore();
  /** The chats that the app holds, however old. */
  readonly #held = new Map<string, Chat>();
  #pending: Pending[] = [];
  #key: DeviceKey | undefined;
  #texts = 0;

  constructor(user: TestUser, name: number, random: () => number, journal: Journal) {
    this.#user = user;
    this.#name = name;
    this.#random = random;
    this.#journal = journal;
    this.network = new FaultyNetwork(random);
    this.chats = this.#start();
  }

  /** Unlocks the keys with the device's key. */
  async unlock(key: DeviceKey): Promise<void> {
    await this.chats.keys.unlock({ device: key });
    this.#key = key;
  }

  /** Does one thing, or two at once. */
  async step(): Promise<void> {
    const action = this.#chooseAction();
    if (action === "restart") return await this.#restart();
    const other = this.#random() < 0.15 ? this.#chooseAction() : "restart";
    await Promise.all([this.#do(action), ...other === "restart" ? [] : [this.#do(other)]]);
  }

  /** Repeats all unanswered changes. */
  async finish(): Promise<void> {
    for (const pending of this.#pending.splice(0)) await this.#repeat(pending);
    assert.deepEqual(this.#pending, []);
  }

  async #do(action: Exclude<Action, "restart">): Promise<void> {
    const [pending] = this.#pending;
    if (pending && this.#random() < REPEATED) {
      this.#pending.shift();
      if (this.#random() >= FORGOTTEN) await this.#repeat(pending);
      return;
    }
    if (action === "sync") return await this.#read(() => this.chats.sync());
    if (action === "list") return await this.#list();
    const known = await this.chats.store.list();
    if (action === "create" || known.length === 0) {
      return known.length < MOST_CHATS ? await this.#create() : undefined;
    }
    const { id } = known[Math.floor(this.#random() * known.length)]!; // there is one
    const held = this.#held.get(id);
    if (action === "open" || !held) return await this.#open(id);
    await this.#change(action, held);
  }

  async #change(
    action: "append" | "save" | "compact" | "rename" | "star" | "remove",
    chat: Chat,
  ): Promise<void> {
    const text = this.#newText();
    switch (action) {
      case "append":
        return await this.#told("append", chat, { text }, () => this.chats.append(chat, text));
      case "save":
        return await this.#told("save", chat, { text }, () => this.chats.save(chat, text));
      case "compact":
        return await this.#told("compact", chat, {}, () => this.chats.compact(chat));
      case "rename":
        return await this.#told("rename", chat, { text }, () => this.chats.rename(chat, text));
      case "star": {
        const star = this.#random() < 0.5;
        return await this.#told("star", chat, { star }, () => this.chats.star(chat, star));
      }
      case "remove":
        return await this.#told("delete", chat, {}, () => this.chats.delete(chat));
    }
  }

  async #create(): Promise<void> {
    const chat = this.chats.create();
    const text = this.#newText();
    await this.#told("save", chat, { text }, () => this.chats.save(chat, text));
  }

  async #list(): Promise<void> {
    const summaries = await this.chats.list();
    for (const { title_error } of summaries) assert.equal(title_error, undefined);
  }

  async #open(id: string): Promise<void> {
    await this.#read(async () => {
      try {
        this.#hold(await this.chats.open(id));
      } catch (error) {
        if (!(error instanceof ChatsError) || error.code !== "chat_not_found") throw error;
        this.#held.delete(id);
      }
    });
  }

  /** Makes a change and notes the answer. */
  async #told(
    kind: Entry["kind"],
    chat: ChatVersion,
    what: Pick<Entry, "text" | "star">,
    change: () => Promise<Chat | void>,
  ): Promise<void> {
    const about = { device: this.#name, kind, chat_id: chat.id, base: chat.version };
    await this.#settle(this.#journal.begin({ ...about, ...what }), change);
  }

  async #repeat({ entry, repeat }: Pending): Promise<void> {
    await this.#settle(entry, repeat as () => Promise<Chat | void>); // what the change resolves to
  }

  async #settle(entry: Entry, change: () => Promise<Chat | void>): Promise<void> {
    try {
      const chat = await change();
      entry.outcome = chat ? chat.version : "deleted";
      if (chat) this.#hold(chat);
      else this.#held.delete(entry.chat_id);
    } catch (error) {
      if (error instanceof ChatConflict) {
        entry.outcome = "conflict";
        this.conflicts.push(error);
        assert.ok(error.version > entry.base && error.id === entry.chat_id);
        if (error.chat) this.#hold(error.chat);
      } else if (error instanceof ChatsError && error.code === "unreachable") {
        assert.ok(error.repeat);
        this.#pending.push({ entry, repeat: error.repeat });
      } else if (error instanceof ChatsError && /^chat_(deleted|not_found)$/.test(error.code)) {
        entry.outcome = "gone";
        this.#held.delete(entry.chat_id);
      } else throw error;
    }
  }

  /** Reads something, and ignores a failing network. */
  async #read(read: () => Promise<unknown>): Promise<void> {
    try {
      await read();
    } catch (error) {
      if (!(error instanceof ChatsError) || error.code !== "unreachable") throw error;
    }
  }

  /** Restarts the program: unanswered changes are forgotten, the store and the device's key remain. */
  async #restart(): Promise<void> {
    this.#pending = [];
    this.#held.clear();
    this.chats = this.#start();
    const { faulty } = this.network;
    this.network.faulty = false;
    if (this.#key) await this.chats.keys.unlock({ device: this.#key });
    this.network.faulty = faulty;
  }

  #start(): Chats {
    const { fetch } = this.network;
    return device(this.#user, {
      store: this.#store,
      fetch,
      attempts: 2,
      pause_ms: 5,
      page_size: 3,
    });
  }

  #hold(chat: Chat): void {
    this.#journal.saw(this.#name, chat);
    this.#held.set(chat.id, chat);
  }

  #newText(): string {
    return `${this.#name}.${++this.#texts};`;
  }

  #chooseAction(): Action {
    const entries = Object.entries(ACTIONS) as [Action, number][];
    const sum = entries.reduce((total, [, weight]) => total + weight, 0);
    let left = this.#random() * sum;
    return entries.find(([, weight]) => (left -= weight) < 0)![0]; // less than the sum is left
  }
}

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
import { type Action, chooseAction } from "./random_actions.ts";
import { close, codeOf, isOutdated, rotate } from "./key_changes.ts";
import type { Entry, Journal } from "./journal.ts";

/** Fewer chats make more conflicts. */
const MOST_CHATS = 8;

/** The share of unanswered changes that a device forgets, as if it had been switched off. */
const FORGOTTEN = 0.3;

/** The chance in each step to repeat an unanswered change. It is low, so that the chat has often changed by then. */
const REPEATED = 0.1;

/** The password of the chats, which the user types on each device. */
export const PASSWORD = "one password for all devices";

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
  /** How often this device has rotated the keys, and closed the epochs before. */
  readonly keyChanges = { rotations: 0, closings: 0 };
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

  /** Unlocks the keys with the password, as the user does after another device has rotated them. */
  async unlockAgain(): Promise<void> {
    this.#key = undefined;
    await this.#read(() => this.chats.keys.unlock({ password: PASSWORD }));
  }

  /** Makes chats for all devices. */
  async createChats(count: number): Promise<void> {
    for (let made = 0; made < count; made++) await this.#create();
  }

  /** Does one thing, or two at once. */
  async step(): Promise<void> {
    const action = chooseAction(this.#random);
    if (action === "restart") return await this.#restart();
    const other = this.#random() < 0.15 ? chooseAction(this.#random) : "restart";
    await Promise.all([this.#do(action), ...other === "restart" ? [] : [this.#do(other)]]);
  }

  /** Repeats all unanswered changes, and takes over what the other devices have made. */
  async finish(): Promise<void> {
    await this.unlockAgain();
    for (const pending of this.#pending.splice(0)) await this.#repeat(pending);
    assert.deepEqual(this.#pending, []);
  }

  /** Does something. If another device has rotated the keys, the user types the password. */
  async #do(action: Exclude<Action, "restart">): Promise<void> {
    try {
      await this.#act(action);
    } catch (error) {
      if (codeOf(error) !== "keys_locked") throw error;
      await this.unlockAgain();
    }
  }

  async #act(action: Exclude<Action, "restart">): Promise<void> {
    const [pending] = this.#pending;
    if (pending && this.#random() < REPEATED) {
      this.#pending.shift();
      if (this.#random() >= FORGOTTEN) await this.#repeat(pending);
      return;
    }
    if (action === "sync") return await this.#sync();
    if (action === "list") return await this.#list();
    if (action === "rotate") return await this.#read(() => this.#rotate());
    if (action === "close") return await this.#read(() => this.#close());
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

  /** No server has lied, so nothing may look as if it had. */
  async #sync(): Promise<void> {
    await this.#read(async () => {
      const { verified, rolled_back, unproven } = await this.chats.sync();
      assert.deepEqual(rolled_back, []);
      if (verified) assert.deepEqual(unproven, []);
    });
  }

  async #rotate(): Promise<void> {
    this.#key = undefined;
    const device = await rotate(this.chats, PASSWORD);
    if (device === undefined) return;
    this.#key = device ?? undefined;
    this.keyChanges.rotations++;
  }

  async #close(): Promise<void> {
    for (const { id } of await this.chats.store.list()) {
      await this.#open(id);
      const held = this.#held.get(id);
      if (held && await isOutdated(this.chats, id)) await this.#change("compact", held);
    }
    if (await close(this.chats)) this.keyChanges.closings++;
  }

  async #list(): Promise<void> {
    for (const { title_error } of await this.chats.list()) {
      if (codeOf(title_error) === "keys_locked") throw title_error;
      // The keys of a chat that another device has encrypted with new ones could not be read.
      if (codeOf(title_error) !== "unreachable") assert.equal(title_error, undefined);
    }
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
        // Without it, the device was still reading what the change is based on.
        if (error.repeat) this.#pending.push({ entry, repeat: error.repeat });
        else entry.outcome = "refused";
      } else if (codeOf(error) === "keys_locked") {
        entry.outcome = "refused";
        await this.unlockAgain();
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
    if (!this.#key) return await this.unlockAgain();
    const device = this.#key;
    await this.#read(() => this.chats.keys.unlock({ device })).catch(async (error) => {
      assert.equal(codeOf(error), "device_not_found");
      await this.unlockAgain();
    });
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
}

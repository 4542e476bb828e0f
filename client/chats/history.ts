/**
 * The head of the account: what a device with the keys said of all chats, and what may follow it.
 *
 * @module
 */

import { type DataKey, equalSums, historyCode } from "../crypto/mod.ts";
import {
  type BaseHead,
  changeSum,
  keyOf,
  mustFollowHead,
  type NewHistory,
  type NextHead,
  nextHead,
  type OpenedHead,
  openHead,
} from "./account_head.ts";
import {
  type AccountHeadAnswer,
  falseAnswer,
  Members,
  readAccountHead,
  readHistoryChange,
} from "./answers.ts";
import type { AccountHead, ChatStore } from "./chat_store.ts";
import { ChatsError, historyErrors } from "./chats_error.ts";
import type { Keyring } from "./keyring.ts";
import type { HeadChange, HistoryParts, Verification } from "./history_parts.ts";
import type { Mirror } from "./mirror.ts";
import { findKey } from "./open_keys.ts";
import { change, type Requests } from "./requests.ts";

/** How often a device tries to make a head with a new key from one with an older key. */
const RENEWALS = 5;

/** The history of one user's account, as far as this device has seen it. */
export class History {
  readonly #requests: Requests;
  readonly #keys: Keyring;
  readonly #store: ChatStore;
  readonly #user_id: string;
  #known: OpenedHead | undefined;
  /** The current key when this device last had to sync before it could accept an older one. */
  #learned: string | undefined;
  /** One change after the other: each is based on the head that the one before it made. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @param parts what it works with: the store remembers the newest head */
  constructor({ requests, keys, store, user_id }: HistoryParts) {
    this.#requests = requests;
    this.#keys = keys;
    this.#store = store;
    this.#user_id = user_id;
  }

  /** Runs a change after those that were begun before. */
  inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(run);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** The code of the newest head, to compare on two screens; undefined if there is none. */
  async code(): Promise<string | undefined> {
    const { history } = await this.#store.state();
    return history ? await historyCode(history.sealed) : undefined;
  }

  /**
   * Makes the next head of the account.
   *
   * @param changed the head that changes
   * @param renew syncs, which makes a head with the current key from one with an older key
   */
  async next(
    changed: HeadChange,
    renew: () => Promise<unknown>,
  ): Promise<NewHistory> {
    let known = await this.#load();
    // Another device may be faster, or rotate the keys once more: then the server refuses the change itself, with a code.
    for (let left = RENEWALS; known && known.key_id !== this.#keys.current.key_id; left--) {
      if (left === 0) throw historyErrors.unproven();
      if (left < RENEWALS) await this.#keys.refresh();
      await renew();
      known = await this.#load();
    }
    const key = this.#keys.current;
    const counter = (known?.counter ?? 0) + 1;
    return await this.#next(key, known, { ...await changeSum(key, known, changed), counter });
  }

  /** Remembers a head that this device has made, once the server has it. */
  async made({ counter, sealed }: NewHistory): Promise<void> {
    await this.#adopt(await this.#open({ counter, sealed }));
  }

  /**
   * Takes over the head of the account from a refusal `history_conflict`.
   *
   * @param error the refusal
   * @param request what was refused
   * @param seen the newest head that this device had seen when it sent the request
   * @param sync brings the store up to date
   */
  async conflict(
    { fields }: ChatsError,
    { body }: { readonly body?: Record<string, unknown> },
    seen: AccountHead | null,
    sync: () => Promise<unknown>,
  ): Promise<void> {
    const answer = new Members(fields);
    if (answer.lacks("history")) throw historyErrors.missing();
    const opened = await this.#open(readAccountHead(answer.object("history")));
    const sent = body?.history as NewHistory | undefined;
    if (opened.counter === sent?.expected) {
      throw falseAnswer("it reports a conflict with what the change is based on");
    }
    if (seen) this.#mustFollow(opened, await this.#open(seen));
    // Somebody with the old key could have made it.
    else if (opened.key_id !== this.#keys.current.key_id) throw historyErrors.unproven();
    // Before an epoch is closed here, the store needs what other devices have encrypted again.
    if (opened.content.min_epoch !== this.#keys.epochs.oldest) await sync();
    else await this.#adopt(opened);
  }

  /** Forgets what this device has seen, because the user accepts what the server has. Returns the counter. */
  async forget(): Promise<number> {
    const { history } = await this.#store.state();
    this.#known = undefined;
    await this.#store.apply({ state: { history: null, proven_key: null } });
    return history?.counter ?? 0;
  }

  /** Returns the newest head that this device has seen. */
  async seen(): Promise<AccountHead | null> {
    return (await this.#store.state()).history ?? null;
  }

  /**
   * Compares what the sync has listed with the head of the account at that moment.
   *
   * @param mirror what was listed
   * @param answer the head of the account
   * @param before `seen`: the newest head that this device had seen when it asked; `accepted`: the counter that it had seen
   * before the user accepted what the server has
   * @returns undefined if the listed chats are others
   */
  async verify(
    mirror: Mirror,
    answer: AccountHeadAnswer | null,
    { seen, accepted }: { seen: AccountHead | null; accepted: number | undefined },
  ): Promise<Verification | undefined> {
    const none = answer === null && mirror.heads === 0;
    if (answer === null && accepted === undefined && (seen || !none)) {
      throw historyErrors.missing();
    }
    if (none || this.#keys.locked) return { verified: false, proven: none };
    const opened = answer && await this.#openIfPossible(answer).catch((error) => {
      if (accepted === undefined) throw error;
      return null; // somebody without the keys has put it there
    });
    if (opened === undefined) return { verified: false, proven: false };
    const { current } = this.#keys;
    if (opened && seen) this.#mustFollow(opened, await this.#open(seen));
    const same = opened !== null && await this.#isOf(opened, mirror);
    const missing = answer?.unproven_deletions ?? 0;
    if (accepted !== undefined) {
      const enough = same && missing === 0 && opened.counter >= accepted;
      if (!enough) await this.#replace(mirror, opened ?? answer, accepted);
    } else if (!same) {
      const explained = missing > 0 && opened?.content.chats === mirror.heads + missing;
      if (!explained) return undefined;
    }
    const old = opened && opened.key_id !== current.key_id;
    // A device that has seen no head cannot know whether somebody with the old key has made this one.
    if (old && !seen && accepted === undefined) return { verified: false, proven: false };
    if (opened) await this.#adopt(opened);
    if (accepted !== undefined) return { verified: true, proven: true };
    if (same && old) {
      await this.#replace(mirror, opened, 0).catch((error) => {
        // Perhaps another device was faster. The next sync, or the next change, does it.
        if (!(error instanceof ChatsError)) throw error;
      });
    }
    return { verified: same, proven: same };
  }

  /**
   * Before a device accepts an old key, it learns whether the key is still accepted, and what it has made.
   *
   * @returns whether the device had to sync: what it has read may be older
   */
  async learn(used: (string | null)[], sync: () => Promise<unknown>): Promise<boolean> {
    const { key_id } = this.#keys.current;
    const known = [this.#learned, (await this.#store.state()).proven_key].includes(key_id);
    if (known || used.every((id) => id === key_id)) return false;
    await sync();
    this.#learned = key_id;
    return true;
  }

  /**
   * Closes all epochs before the current one, for all devices.
   *
   * @param mirror what was listed: all chats
   * @param verified whether that is what the head of the account says
   */
  async close(mirror: Mirror, verified: boolean): Promise<void> {
    const known = await this.#load();
    // An account without chats needs no proof.
    if (!verified && (known || mirror.heads > 0)) throw historyErrors.unproven();
    await this.#replace(mirror, known, 0, this.#keys.current.key_id);
  }

  /** Whether the head of an account is that of the listed chats. */
  async #isOf({ key_id, content }: OpenedHead, mirror: Mirror): Promise<boolean> {
    const key = await findKey(this.#keys, key_id);
    return content.chats === mirror.heads && equalSums(content.sum, await mirror.sum(key));
  }

  /** Replaces the head of the account by one of what was listed, under the current key. */
  async #replace(
    mirror: Mirror,
    since: BaseHead | null | undefined,
    seen: number,
    min_epoch = this.#keys.epochs.oldest,
  ): Promise<void> {
    const key = this.#keys.current;
    const counter = Math.max(since?.counter ?? 0, seen) + 1;
    const listed = { chats: mirror.heads, sum: await mirror.sum(key), min_epoch };
    const history = await this.#next(key, since, { ...listed, counter });
    const body = { history, expected_sequence: Number(mirror.cursor) };
    const read = (answer: unknown) => readHistoryChange(answer, counter);
    await this.#requests.send(
      change("PUT", "history", body, read),
      () => this.made(history),
    );
  }

  /** The name of this device in heads of the account. */
  async #writer(): Promise<string> {
    const { writer } = await this.#store.state();
    if (writer) return writer;
    const made = crypto.randomUUID().replaceAll("-", "").slice(0, 16);
    await this.#store.apply({ state: { writer: made } });
    return made;
  }

  /** Returns the newest head that this device has seen. */
  async #load(): Promise<OpenedHead | undefined> {
    const { history } = await this.#store.state();
    if (!history) return undefined;
    if (this.#known?.sealed !== history.sealed) this.#known = await this.#open(history);
    return this.#known;
  }

  async #open(head: AccountHead): Promise<OpenedHead> {
    return await openHead(head, this.#user_id, await findKey(this.#keys, keyOf(head)));
  }

  /** Opens a head unless its key is missing: another device has rotated the keys. */
  async #openIfPossible(head: AccountHead): Promise<OpenedHead | undefined> {
    const key_id = keyOf(head);
    const possible = this.#keys.dataKeys.some((key) => key.key_id === key_id);
    return possible ? await this.#open(head) : undefined;
  }

  #mustFollow(head: OpenedHead, known: OpenedHead | undefined): void {
    mustFollowHead(head, known, this.#keys.dataKeys);
  }

  async #next(
    key: DataKey,
    before: BaseHead | null | undefined,
    next: Pick<NextHead, "chats" | "sum" | "counter"> & Partial<NextHead>,
  ): Promise<NewHistory> {
    const { user_id, writer } = { user_id: this.#user_id, writer: await this.#writer() };
    return await nextHead(key, before, {
      min_epoch: this.#keys.epochs.oldest,
      ...next,
      user_id,
      writer,
    });
  }

  /** Remembers a head, unless this device has seen a newer one meanwhile. */
  async #adopt(opened: OpenedHead): Promise<void> {
    const known = await this.#load();
    if (known && opened.counter < known.counter) return;
    this.#mustFollow(opened, known);
    await this.#keys.epochs.close(opened.content.min_epoch);
    this.#known = opened;
    const { counter, sealed } = opened;
    await this.#store.apply({ state: { history: { counter, sealed } } });
  }
}

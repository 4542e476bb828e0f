/**
 * The keys that are open in this session, in memory only.
 *
 * @module
 */

import {
  type Argon2idCost,
  type DataKey,
  type DeviceKey,
  keyProof,
  type V1Key,
  workOf,
  type WrappingKey,
} from "../crypto/mod.ts";
import { must } from "./answers.ts";
import type { ChatStore } from "./chat_store.ts";
import { keysLocked, keysRolledBack } from "./chats_error.ts";
import { openChain, openCurrent } from "./key_chain.ts";
import { findWrap, type WrappedKeys } from "./wrapped_keys.ts";

/** Which epochs are closed. */
export interface Epochs {
  /** Id of the oldest epoch that is accepted; 1 if none was closed. */
  readonly oldest: string | 1;
  /** Whether content with this key is no longer accepted. Null is the key of format 1, which is older than all epochs. */
  closed(key_id: string | null): boolean;
  /** Closes all epochs before this one, for good. The server must have sent its key. */
  close(oldest: string | 1): Promise<void>;
}

/** Opens a user's keys and holds them. */
export class OpenKeys implements Epochs {
  readonly #user_id: string;
  readonly #store: ChatStore;
  /** Version of the keys on the server; undefined while nothing is open. */
  version: number | undefined;
  /** The key of format 1, while such envelopes are expected. */
  v1: V1Key | undefined;
  /** What opened the keys. It opens them again when they have to be wrapped. */
  openedBy: WrappingKey | undefined;
  /** The key of this device, if it is remembered. */
  device: DeviceKey | undefined;
  /** Id of the oldest epoch that is accepted; 1 if none was closed. */
  oldest: string | 1 = 1;
  /** By id, the current one first. */
  #dataKeys = new Map<string, DataKey>();

  /**
   * @param user_id UUID of the user
   * @param store remembers the newest epoch that this device has seen
   */
  constructor(user_id: string, store: ChatStore) {
    this.#user_id = user_id;
    this.#store = store;
  }

  /** Whether no keys are open. */
  get locked(): boolean {
    return this.version === undefined;
  }

  /**
   * The key that encrypts.
   *
   * @throws ChatsError `keys_locked`
   */
  get current(): DataKey {
    const [key] = this.#dataKeys.values();
    if (!key) throw keysLocked();
    return key;
  }

  /** The data keys, the current one first. */
  get dataKeys(): DataKey[] {
    return [...this.#dataKeys.values()];
  }

  /**
   * All keys that decrypt.
   *
   * @throws ChatsError `keys_locked`
   */
  get all(): (DataKey | V1Key)[] {
    if (this.locked) throw keysLocked();
    return [...this.dataKeys, ...this.v1 ? [this.v1] : []];
  }

  /**
   * Opens all data keys on the server.
   *
   * @throws ChatsError `keys_locked`, `keys_rolled_back`; CryptoError `decryption_failed`
   */
  async open(stored: WrappedKeys, under: WrappingKey): Promise<void> {
    const keys = await openChain(stored, under, this.#user_id);
    const { key_id, key_proof } = await this.#store.state();
    const seen = keys.find((key) => key.key_id === key_id);
    if (key_id !== null && !seen) throw keysRolledBack();
    if (seen && key_proof && await keyProof(seen.secret) !== key_proof) throw keysRolledBack();
    await this.adopt(stored.version, keys, under);
  }

  /** See {@link Epochs}. */
  closed(key_id: string | null): boolean {
    const ids: unknown[] = [...this.#dataKeys.keys()];
    const min = ids.indexOf(this.oldest);
    return min >= 0 && (key_id === null || ids.indexOf(key_id) > min);
  }

  /** See {@link Epochs}. */
  async close(min_epoch: string | 1): Promise<void> {
    if (min_epoch === 1 || min_epoch === this.oldest) return;
    must(this.#dataKeys.has(min_epoch), "a missing epoch");
    if (this.closed(min_epoch)) return;
    await this.#store.apply({ state: { min_epoch } });
    this.oldest = min_epoch;
  }

  /** Opens all data keys, and the current one once more as an extractable key, to wrap it. Do not keep it. */
  async openToWrap(stored: WrappedKeys, under: WrappingKey): Promise<DataKey> {
    await this.open(stored, under);
    return await openCurrent(stored, under, this.#user_id, { extractable: true });
  }

  /** Replaces the data keys. The store remembers the current one, which is the first. */
  async adopt(version: number, dataKeys: DataKey[], openedBy: WrappingKey): Promise<void> {
    const { key_id, secret } = dataKeys[0]!; // there is at least one
    const key_proof = await keyProof(secret);
    const password_cost = await this.#cost(openedBy);
    await this.#store.apply({ state: { key_id, key_proof, password_cost } });
    this.oldest = (await this.#store.state()).min_epoch ?? 1;
    this.#dataKeys = new Map(dataKeys.map((key) => [key.key_id, key]));
    this.version = version;
    this.openedBy = openedBy;
  }

  /** Remembers another key that opens the keys from now on, and its cost. */
  async reopened(openedBy: WrappingKey): Promise<void> {
    await this.#store.apply({ state: { password_cost: await this.#cost(openedBy) } });
    this.openedBy = openedBy;
  }

  /**
   * Returns whichever wrapping key of this session opens the keys on the server.
   *
   * @throws ChatsError `keys_locked` if none does, for example because another device changed the password
   */
  opener(stored: WrappedKeys): WrappingKey {
    const candidates = [this.openedBy, this.device].filter((key) => key !== undefined);
    const opener = candidates.find((key) => findWrap(stored, key));
    if (!opener) throw keysLocked();
    return opener;
  }

  /** Returns the costlier of what this device has seen and a password key. */
  async #cost(under: WrappingKey): Promise<Argon2idCost | null> {
    const { password_cost: seen = null } = await this.#store.state();
    if (under.kind !== "password" || "iterations" in under) return seen;
    const { memory_kib, passes } = under;
    return seen && workOf(seen) >= workOf(under) ? seen : { memory_kib, passes };
  }

  /** Forgets everything. */
  clear(): void {
    this.#dataKeys = new Map();
    this.version =
      this.v1 =
      this.openedBy =
      this.device =
        undefined;
  }
}

/** Keys that can be looked up, and read again. */
interface Readable {
  readonly dataKeys: readonly DataKey[];
  refresh(): Promise<void>;
}

/**
 * Returns a data key by its id. If it is missing here, another device has started its epoch: then the keys are read again.
 *
 * @throws ChatsError `keys_locked`
 */
export async function findKey(keys: Readable, key_id: string): Promise<DataKey> {
  const find = () => keys.dataKeys.find((key) => key.key_id === key_id);
  if (keys.dataKeys.length > 0 && !find()) await keys.refresh();
  const key = find();
  if (!key) throw keysLocked();
  return key;
}

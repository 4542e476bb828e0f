/**
 * The keys of one user on one device: made, opened, wrapped anew and let go.
 *
 * @module
 */

import type { ChatStore } from "./chat_store.ts";
import { ChatsError } from "./chats_error.ts";
import {
  type DataKey,
  derivePasswordKey,
  deriveRecoveryKey,
  deriveV1Key,
  type DeviceKey,
  epochKey,
  generateDataKey,
  generateDeviceKey,
  generateRecoveryKey,
  unwrap,
  type V1Key,
  wrap,
  type WrappingKey,
} from "../crypto/mod.ts";
import { change, type ChatRequest, type Requests } from "./requests.ts";
import {
  findWrap,
  type KeyChange,
  locked,
  type NewWrap,
  rolledBack,
  type StoredKeys,
  type Unlocking,
  wrappingKey,
} from "./wrapped_keys.ts";

/** A device that opens the chats without the password. */
export interface RememberedDevice {
  readonly device_id: string;
  /** ISO 8601. */
  readonly created_at: string;
}

/** How far the chats are encrypted in the epoch in force. */
export interface RotationProgress {
  /** Number of the epoch in force; 0 where there are no keys. */
  readonly epoch: number;
  /** Envelopes (data, titles and segments) of this epoch. */
  readonly done: number;
  /** Envelopes of older epochs, and of format 1.0. */
  readonly left: number;
}

/** The keys of a user. */
export class Keyring {
  readonly #requests: Requests;
  readonly #user_id: string;
  readonly #store: ChatStore;
  /** Version of the keys that this was opened from; undefined before the keys were read. */
  #version: number | undefined;
  /** Data keys by their ids, the one in force first. */
  #keys = new Map<string, DataKey>();
  #v1: V1Key | undefined;
  /** What opened the keys: opens them again where they are to be wrapped. */
  #under: WrappingKey | undefined;
  #device: DeviceKey | undefined;
  #refreshing: Promise<void> | undefined;

  /**
   * @param requests as the user
   * @param user_id UUID of the user
   * @param store knows the newest epoch that this device has seen
   */
  constructor(requests: Requests, user_id: string, store: ChatStore) {
    this.#requests = requests;
    this.#user_id = user_id;
    this.#store = store;
  }

  /** Whether no keys are open: nothing is encrypted or decrypted then. */
  get locked(): boolean {
    return this.#version === undefined;
  }

  /** Version of the keys that are open, undefined where none are. */
  get version(): number | undefined {
    return this.#version;
  }

  /**
   * The key that encrypts.
   *
   * @throws ChatsError `keys_locked`
   */
  get current(): DataKey {
    const [key] = this.#keys.values();
    if (!key) throw locked();
    return key;
  }

  /**
   * The keys that decrypt.
   *
   * @throws ChatsError `keys_locked`
   */
  get all(): (DataKey | V1Key)[] {
    if (this.locked) throw locked();
    return [...this.#keys.values(), ...this.#v1 ? [this.#v1] : []];
  }

  /**
   * Makes the first keys of a user. Keys that there are stay: `version_conflict` says so.
   *
   * @param password for the chats: not that of the sign-in, which the server gets to see
   * @returns the recovery key, to be shown once
   * @throws ChatsError 409 `version_conflict` where there are keys; `unreachable`: `unlock` says whether they were made
   */
  async setUp(password: string): Promise<string> {
    if ((await this.#store.state()).key_id !== null) throw rolledBack();
    const under = await derivePasswordKey(password);
    const recoveryKey = generateRecoveryKey();
    const fresh = await generateDataKey();
    const wraps = await this.#wraps(fresh, [under, await deriveRecoveryKey(recoveryKey)]);
    const key = await this.#unwrap(wraps[0]!, under, fresh.key_id); // there are two
    return await this.#requests.send(
      change("PUT", "keys", { expected_version: 0, key_id: key.key_id, wraps }),
      async (answer: KeyChange) => {
        await this.#adopt(answer.version, [key], under);
        return recoveryKey;
      },
    );
  }

  /**
   * Opens the keys.
   *
   * @param by the password, or the key of a device from `rememberDevice`
   * @throws CryptoError `decryption_failed` for a wrong password; ChatsError `keys_not_found` where there are none yet,
   * `device_not_found` where the device was revoked, or the keys rotated; `keys_rolled_back`
   */
  async unlock(by: Unlocking): Promise<void> {
    const stored = await this.#read();
    await this.#open(stored, await wrappingKey(stored, by));
    if ("device" in by) this.#device = by.device;
  }

  /**
   * Opens the keys with the recovery key, and sets a new password.
   *
   * @param recoveryKey as it was typed
   * @param newPassword for the chats
   * @throws CryptoError `malformed_recovery_key`, `recovery_key_mistyped`; `decryption_failed` for one that was replaced
   */
  async recover(recoveryKey: string, newPassword: string): Promise<void> {
    const recovery = await deriveRecoveryKey(recoveryKey);
    await this.#open(await this.#read(), recovery);
    await this.changePassword(newPassword);
  }

  /**
   * Sets a new password. Chats stay as they are; so who had the old one may have the key: `rotate` if that matters.
   *
   * @param newPassword for the chats
   * @throws ChatsError `keys_locked`, also where another device has set another one; 409 `version_conflict` where another
   * device changes the keys at the same time
   */
  async changePassword(newPassword: string): Promise<void> {
    const under = await derivePasswordKey(newPassword);
    await this.#put(under, () => {
      this.#under = under;
    });
  }

  /**
   * Makes a new recovery key; the old one opens the keys no more.
   *
   * @returns the recovery key, to be shown once
   * @throws ChatsError as `changePassword`
   */
  async newRecoveryKey(): Promise<string> {
    const recoveryKey = generateRecoveryKey();
    const under = await deriveRecoveryKey(recoveryKey);
    return await this.#put(under, () => {
      if (this.#under?.kind === "recovery") this.#under = under;
      return recoveryKey;
    });
  }

  /**
   * Makes a key with which this device opens the chats without the password.
   *
   * @param device a key that is kept elsewhere, from `importDeviceKey`; else a new one
   * @returns the key, for the app to keep: in a browser as it is in IndexedDB
   * @throws ChatsError as `changePassword`; 409 `too_many_devices`
   */
  async rememberDevice(device?: DeviceKey): Promise<DeviceKey> {
    const key = device ?? await generateDeviceKey();
    return await this.#put(key, () => this.#device = key);
  }

  /** The devices that open the chats without the password. */
  async devices(): Promise<RememberedDevice[]> {
    const { keys: [inForce] } = await this.#read();
    return (inForce?.wraps ?? []).flatMap(({ device_id, created_at }) =>
      device_id === undefined ? [] : { device_id, created_at }
    );
  }

  /**
   * Takes the key of a device away, if it has one. If the device was lost, `rotate` then.
   *
   * @param device_id UUID of the device
   */
  async revokeDevice(device_id: string): Promise<void> {
    const path = `keys/devices/${encodeURIComponent(device_id)}`;
    try {
      await this.#requests.send({ method: "DELETE", path }, ({ version }: KeyChange) => {
        if (this.#version === version - 1) this.#version = version;
      });
    } catch (error) {
      // It was revoked before, maybe by an attempt whose answer was lost.
      if (!(error instanceof ChatsError) || error.code !== "device_not_found") throw error;
    }
    if (this.#device?.device_id === device_id) this.#device = undefined;
  }

  /**
   * Starts a new key: what is written from now on is closed to whoever had the old one. This device stays remembered,
   * others and the recovery key do not. Chats are encrypted anew when they are next saved, or by `reencrypt`.
   *
   * @param password that of the chats
   * @returns the new recovery key, to be shown once
   * @throws CryptoError `decryption_failed` for a wrong password; ChatsError as `changePassword`
   */
  async rotate(password: string): Promise<string> {
    const stored = await this.#read();
    const old = await this.#open(stored, await wrappingKey(stored, { password }));
    const under = await derivePasswordKey(password);
    const recoveryKey = generateRecoveryKey();
    const fresh = await generateDataKey();
    const unders: WrappingKey[] = [under, await deriveRecoveryKey(recoveryKey)];
    if (this.#device && findWrap(stored, this.#device)) unders.push(this.#device);
    const wraps = await this.#wraps(fresh, unders);
    const key = await this.#unwrap(wraps[0]!, under, fresh.key_id); // there are two or three
    wraps.push(...await this.#wraps(old, [epochKey(key)]));
    const { version: expected_version } = stored;
    return await this.#requests.send(
      change("POST", "keys/rotate", { expected_version, key_id: key.key_id, wraps }),
      async (answer: KeyChange) => {
        await this.#adopt(answer.version, [key, ...this.#keys.values()], under);
        return recoveryKey;
      },
    );
  }

  /** How much is encrypted with the key in force, and how much is not yet. */
  async progress(): Promise<RotationProgress> {
    const { epoch, keys: [inForce, ...older], legacy_envelopes } = await this.#read();
    const left = older.reduce((sum, key) => sum + key.envelopes, legacy_envelopes);
    return { epoch: epoch ?? 0, done: inForce?.envelopes ?? 0, left };
  }

  /**
   * Reads envelopes of format 1.0, too, until `forgetV1` or `lock`. They become v2 when they are next saved.
   *
   * @param password of Chuk Chat
   * @param salt `user_metadata.chat_kdf_salt`
   * @throws CryptoError `key_parameters_refused`
   */
  async readV1(password: string, salt: string): Promise<void> {
    this.#v1 = await deriveV1Key(password, salt);
  }

  /** Reads envelopes of format 1.0 no more: call it when none is left. */
  forgetV1(): void {
    this.#v1 = undefined;
  }

  /** Lets all keys go. */
  lock(): void {
    this.#keys = new Map();
    this.#version =
      this.#v1 =
      this.#under =
      this.#device =
        undefined;
  }

  /**
   * Reads the keys again, as others have changed them.
   *
   * @throws ChatsError `keys_locked` where what opened them opens them no more: the old ones still read old chats
   */
  refresh(): Promise<void> {
    // Once, however many envelopes wait for it.
    this.#refreshing ??= this.#reopen().finally(() => this.#refreshing = undefined);
    return this.#refreshing;
  }

  async #reopen(): Promise<void> {
    const stored = await this.#read();
    await this.#open(stored, this.#opener(stored));
  }

  /** Puts the data key in force, wrapped anew, in the place of its wrap of that kind. */
  async #put<T>(under: WrappingKey, done: () => T): Promise<T> {
    const stored = await this.#read();
    const key = await this.#open(stored, this.#opener(stored));
    const wraps = await this.#wraps(key, [under]);
    return await this.#requests.send(
      change("PUT", "keys", { expected_version: stored.version, key_id: key.key_id, wraps }),
      (answer: KeyChange) => {
        this.#version = answer.version;
        return done();
      },
    );
  }

  /** Whichever of what the session has opens these keys. */
  #opener(stored: StoredKeys): WrappingKey {
    const candidates = [this.#under, this.#device].filter((key) => key !== undefined);
    const opener = candidates.find((key) => findWrap(stored, key));
    if (!opener) throw locked();
    return opener;
  }

  /** Opens all keys, and answers the one in force so that it can be wrapped. */
  async #open(stored: StoredKeys, under: WrappingKey): Promise<DataKey> {
    const [inForce, ...older] = stored.keys;
    const wrapped = findWrap(stored, under);
    if (!inForce || !wrapped) throw locked();
    let newer = await this.#unwrap(wrapped, under, inForce.id);
    const keys = [newer];
    for (const { id, wraps } of older) {
      const link = wraps.find(({ kind, wrapped_by }) =>
        kind === "epoch" && wrapped_by === newer.key_id
      );
      if (!link) break;
      newer = await this.#unwrap(link, epochKey(newer), id);
      keys.push(newer);
    }
    const { key_id } = await this.#store.state();
    if (key_id !== null && !keys.some((key) => key.key_id === key_id)) throw rolledBack();
    await this.#adopt(stored.version, keys, under);
    return await this.#unwrap(wrapped, under, inForce.id, true);
  }

  async #adopt(version: number, keys: DataKey[], under: WrappingKey): Promise<void> {
    await this.#store.apply({ state: { key_id: keys[0]!.key_id } }); // there is one
    this.#keys = new Map(keys.map((key) => [key.key_id, key]));
    this.#version = version;
    this.#under = under;
  }

  async #read(): Promise<StoredKeys> {
    const read: ChatRequest = { method: "GET", path: "keys" };
    return await this.#requests.send(read, (stored: StoredKeys) => stored);
  }

  /** A data key wrapped under each of these. */
  async #wraps(dataKey: DataKey, unders: WrappingKey[]): Promise<NewWrap[]> {
    return await Promise.all(unders.map(async (under) => ({
      kind: under.kind,
      ...("device_id" in under && { device_id: under.device_id }),
      ...("salt" in under && { salt: under.salt, iterations: under.iterations }),
      wrap: await wrap(dataKey, { under, user_id: this.#user_id }),
    })));
  }

  async #unwrap(
    wrapped: NewWrap,
    under: WrappingKey,
    key_id: string,
    extractable = false,
  ): Promise<DataKey> {
    return await unwrap(wrapped.wrap, { under, user_id: this.#user_id, key_id, extractable });
  }
}

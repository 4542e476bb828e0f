/**
 * A user's keys on one device: set them up, unlock, change and rotate them.
 *
 * @module
 */

import {
  type Argon2idCost,
  type DataKey,
  deriveRecoveryKey,
  deriveV1Key,
  type DeviceKey,
  generateDeviceKey,
  generateRecoveryKey,
  type V1Key,
  type WrappingKey,
} from "../crypto/mod.ts";
import type { ChatStore } from "./chat_store.ts";
import { keysRolledBack } from "./chats_error.ts";
import { KeyRequests } from "./key_requests.ts";
import { checkNewPassword } from "./new_password.ts";
import { makeEpoch, wrapUnderEach } from "./key_chain.ts";
import { type Epochs, OpenKeys } from "./open_keys.ts";
import { PasswordKeys } from "./password_keys.ts";
import type { Requests } from "./requests.ts";
import {
  findWrap,
  type NewKeyWrap,
  outdatedIn,
  type RememberedDevice,
  rememberedDevices,
  type Rotation,
  type RotationProgress,
  rotationProgress,
  type Unlocking,
  type WrappedKeys,
} from "./wrapped_keys.ts";

/** The keys of a user. */
export class Keyring {
  /** Which epochs are closed: `Chats.closeEpochs` closes them. */
  readonly epochs: Epochs;
  readonly #requests: KeyRequests;
  readonly #user_id: string;
  readonly #store: ChatStore;
  readonly #openKeys: OpenKeys;
  readonly #verify: () => Promise<unknown>;
  readonly #passwordKeys: PasswordKeys;
  #refreshing: Promise<void> | undefined;

  /**
   * @param requests as the user
   * @param user_id UUID of the user
   * @param device `store`: remembers the newest epoch that this device has seen; `password_cost`: of new password keys;
   * `sync`: seals the history with the new key after a rotation, if the device has seen it before
   */
  constructor(
    requests: Requests,
    user_id: string,
    device: { store: ChatStore; password_cost: Argon2idCost; sync: () => Promise<unknown> },
  ) {
    this.#requests = new KeyRequests(requests);
    this.#passwordKeys = new PasswordKeys(device.store, device.password_cost);
    this.#user_id = user_id;
    // A rotation must not fail because of it: the next sync tells the user.
    this.#verify = () => device.sync().catch(() => {});
    this.#store = device.store;
    this.epochs = this.#openKeys = new OpenKeys(user_id, device.store);
  }

  /** Whether the keys are locked. While they are, nothing can be encrypted or decrypted. */
  get locked(): boolean {
    return this.#openKeys.locked;
  }

  /** Version of the open keys; undefined while they are locked. */
  get version(): number | undefined {
    return this.#openKeys.version;
  }

  /**
   * The key that encrypts.
   *
   * @throws ChatsError `keys_locked`
   */
  get current(): DataKey {
    return this.#openKeys.current;
  }

  /**
   * All keys that decrypt.
   *
   * @throws ChatsError `keys_locked`
   */
  get all(): (DataKey | V1Key)[] {
    return this.#openKeys.all;
  }

  /** The data keys, the current one first; none while they are locked. */
  get dataKeys(): DataKey[] {
    return this.#openKeys.dataKeys;
  }

  /**
   * Makes the user's first keys. Existing keys are never replaced.
   *
   * @param password for the chats. Not the sign-in password, which the server sees
   * @returns the recovery key: show it once
   * @throws ChatsError 409 `version_conflict` if there are keys; `unreachable`: `unlock` then tells whether they were made;
   * `password_too_short`, `password_too_common`
   */
  async setUp(password: string): Promise<string> {
    await checkNewPassword(password);
    if ((await this.#store.state()).key_id !== null) throw keysRolledBack();
    const under = { password, cost: await this.#passwordKeys.cost() };
    const { key, passwordKey, recoveryKey, wraps } = await makeEpoch(under, this.#user_id);
    return await this.#requests.set(
      { version: 0, proof_number: null },
      { key, wraps },
      async (answer) => {
        await this.#openKeys.adopt(answer.version, [key], passwordKey);
        return recoveryKey;
      },
    );
  }

  /**
   * Unlocks the keys.
   *
   * @param by the password, the device key from `rememberDevice`, or the key of a passkey
   * @throws CryptoError `decryption_failed` for a wrong password; ChatsError `keys_not_found` if there are no keys yet,
   * `device_not_found` if the device or the passkey was revoked or the keys were rotated, `keys_rolled_back`
   */
  async unlock(by: Unlocking): Promise<void> {
    const stored = await this.#requests.read();
    await this.#openKeys.open(stored, await this.#passwordKeys.unlocking(stored, by));
    if ("device" in by) this.#openKeys.device = by.device;
    if ("password" in by) {
      await this.#passwordKeys.strengthen(stored, () => this.#setPassword(by.password));
    }
  }

  /**
   * Unlocks the keys with the recovery key, and sets a new password.
   *
   * @param recoveryKey as the user typed it
   * @param newPassword for the chats
   * @throws CryptoError `malformed_recovery_key`, `recovery_key_mistyped`; `decryption_failed` if it is an old one
   */
  async recover(recoveryKey: string, newPassword: string): Promise<void> {
    await checkNewPassword(newPassword);
    const recovery = await deriveRecoveryKey(recoveryKey);
    await this.#openKeys.open(await this.#requests.read(), recovery);
    await this.#setPassword(newPassword);
  }

  /**
   * Sets a new password. The data key stays the same, so somebody who knew the old password may have it: `rotate` to
   * shut them out.
   *
   * @param newPassword for the chats
   * @throws ChatsError `keys_locked`, also if another device has changed the password; 409 `version_conflict` if another
   * device changes the keys at the same time
   */
  async changePassword(newPassword: string): Promise<void> {
    await checkNewPassword(newPassword);
    await this.#setPassword(newPassword);
  }

  /**
   * Makes a new recovery key. The old one no longer unlocks the keys.
   *
   * @returns the recovery key: show it once
   * @throws ChatsError as `changePassword`
   */
  async newRecoveryKey(): Promise<string> {
    const recoveryKey = generateRecoveryKey();
    const under = await deriveRecoveryKey(recoveryKey);
    return await this.#wrapCurrent(under, () => {
      if (this.#openKeys.openedBy?.kind === "recovery") this.#openKeys.openedBy = under;
      return recoveryKey;
    });
  }

  /**
   * Lets this device unlock the keys without the password.
   *
   * @param device a key from `importDeviceKey`, if its bytes are stored elsewhere (a new key)
   * @returns the device key, for the app to store: a browser can put it into IndexedDB as it is
   * @throws ChatsError as `changePassword`; 409 `too_many_devices`
   */
  async rememberDevice(device?: DeviceKey): Promise<DeviceKey> {
    const key = device ?? await generateDeviceKey();
    return await this.#wrapCurrent(key, () => this.#openKeys.device = key);
  }

  /**
   * Wraps the current data key under the key of a passkey, or of a device that is let in. Stores nothing. Returns the
   * keys on the server, and the wrap. Throws `keys_locked`.
   */
  async wrap(under: WrappingKey): Promise<{ stored: WrappedKeys; wraps: NewKeyWrap[] }> {
    const stored = await this.#requests.read();
    const key = await this.#openKeys.openToWrap(stored, this.#openKeys.opener(stored));
    return { stored, wraps: await wrapUnderEach(key, [under], this.#user_id) };
  }

  /** Lists the devices that can unlock the keys without the password. */
  async devices(): Promise<RememberedDevice[]> {
    return rememberedDevices(await this.#requests.read());
  }

  /**
   * Revokes a device: it can no longer unlock the keys without the password. If it was lost, `rotate` as well.
   *
   * @param device_id UUID of the device
   */
  async revokeDevice(device_id: string): Promise<void> {
    const made = await this.#requests.revoke(device_id);
    if (made && this.#openKeys.version === made.version - 1) this.#openKeys.version = made.version;
  }

  /**
   * Starts a new epoch with a new data key, so that nobody with the old one can read what is written from now on. This
   * device stays remembered, under a new key: the old one could still open the old data key. Other devices and the
   * recovery key do not. Existing chats are encrypted again when they are next saved, or by `reencrypt`.
   *
   * @param password for the chats: the current one
   * @param device the new key of this device, from `importDeviceKey`, if its bytes are stored elsewhere
   * @returns the new recovery key, to show once, and the new device key, to store in place of the old one
   * @throws CryptoError `decryption_failed` for a wrong password; ChatsError as `changePassword`
   */
  async rotate(password: string, device?: DeviceKey): Promise<Rotation> {
    const stored = await this.#requests.read();
    const opener = await this.#passwordKeys.unlocking(stored, { password });
    const before = await this.#openKeys.openToWrap(stored, opener);
    await this.#verify();
    const old = this.#openKeys.device;
    const renewed = old && findWrap(stored, old) ? device ?? await generateDeviceKey() : undefined;
    const under = { password, cost: await this.#passwordKeys.cost() };
    const epoch = await makeEpoch(under, this.#user_id, { device: renewed, before });
    const { key, passwordKey, recoveryKey, wraps } = epoch;
    return await this.#requests.rotate(stored, { key, wraps, before }, async ({ version }) => {
      await this.#openKeys.adopt(version, [key, ...this.#openKeys.dataKeys], passwordKey);
      this.#openKeys.device = renewed;
      await this.#verify();
      return { recoveryKey, ...(renewed && { device: renewed }) };
    });
  }

  /** Tells how much the current key encrypts, and how much is left: at least what the store has. */
  async progress(): Promise<RotationProgress> {
    const stored = await this.#requests.read();
    return rotationProgress(stored, await outdatedIn(this.#store, stored.key_id));
  }

  /**
   * Also decrypts envelopes of format 1, until `forgetV1` or `lock`. They become v2 when they are next saved.
   *
   * @param password of Chuk Chat
   * @param salt `user_metadata.chat_kdf_salt`
   * @throws CryptoError `key_parameters_refused`
   */
  async readV1(password: string, salt: string): Promise<void> {
    this.#openKeys.v1 = await deriveV1Key(password, salt);
  }

  /** Stops decrypting envelopes of format 1. Call it when none is left. */
  forgetV1(): void {
    this.#openKeys.v1 = undefined;
  }

  /** Forgets all keys. */
  lock(): void {
    this.#openKeys.clear();
  }

  /** Reads and opens the keys again, because another device has changed them. Throws `keys_locked` if that fails. */
  refresh(): Promise<void> {
    // Once, however many envelopes wait for it.
    this.#refreshing ??= this.#requests.read()
      .then((stored) => this.#openKeys.open(stored, this.#openKeys.opener(stored)))
      .finally(() => this.#refreshing = undefined);
    return this.#refreshing;
  }

  async #setPassword(password: string): Promise<void> {
    const under = await this.#passwordKeys.derive(password);
    await this.#wrapCurrent(under, () => this.#openKeys.reopened(under));
  }

  /** Wraps the current data key under a new key, which replaces the one of its kind (and device). */
  async #wrapCurrent<T>(under: WrappingKey, done: () => T | Promise<T>): Promise<T> {
    const { stored, wraps } = await this.wrap(under);
    return await this.#requests.set(stored, { key: this.current, wraps }, (answer) => {
      this.#openKeys.version = answer.version;
      return done();
    });
  }
}

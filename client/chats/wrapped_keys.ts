/**
 * A user's keys as the server stores them: wrapped.
 *
 * @module
 */

import { derivePasswordKey, type DeviceKey, type WrappingKey } from "../crypto/mod.ts";
import { ChatsError, keysLocked } from "./chats_error.ts";

/** What unlocks the keys: the password, or the key of a remembered device. */
export type Unlocking = { password: string } | { device: DeviceKey };

/** A wrap as a client sends it. */
export interface NewKeyWrap {
  kind: WrappingKey["kind"];
  wrap: string;
  device_id?: string;
  salt?: string;
  iterations?: number;
}

/** A wrap as the server returns it. */
export interface KeyWrap extends NewKeyWrap {
  created_at: string;
  wrapped_by?: string;
}

/** The data key of one epoch. */
export interface WrappedKey {
  id: string;
  epoch: number;
  /** How many envelopes it encrypts. */
  envelopes: number;
  wraps: KeyWrap[];
}

/** The answer of `GET /chats/keys`. */
export interface WrappedKeys {
  version: number;
  key_id: string | null;
  epoch: number | null;
  /** Newest first. */
  keys: WrappedKey[];
  legacy_envelopes: number;
}

/** The answer to a change of the keys. */
export interface KeyChange {
  version: number;
}

/** A device that can unlock the keys without the password. */
export interface RememberedDevice {
  readonly device_id: string;
  /** ISO 8601. */
  readonly created_at: string;
}

/** How much of the chats the current key encrypts. */
export interface RotationProgress {
  /** Number of the current epoch; 0 if the user has no keys. */
  readonly epoch: number;
  /** Envelopes (data, titles and segments) of this epoch. */
  readonly done: number;
  /** Envelopes of older epochs and of format 1. */
  readonly left: number;
}

/** Finds the wrap of the current key that a wrapping key opens. */
export function findWrap(
  { keys: [current] }: WrappedKeys,
  under: WrappingKey,
): KeyWrap | undefined {
  return current?.wraps.find((wrap) => {
    if (wrap.kind !== under.kind) return false;
    if (under.kind === "password") {
      return wrap.salt === under.salt && wrap.iterations === under.iterations;
    }
    return under.kind !== "device" || wrap.device_id === under.device_id;
  });
}

/**
 * Returns the wrapping key that opens the current key: the device's, or one derived from the password.
 *
 * @throws ChatsError `keys_not_found`, `device_not_found`, `keys_locked`
 */
export async function unlockingKey(stored: WrappedKeys, by: Unlocking): Promise<WrappingKey> {
  if (stored.version === 0) {
    throw new ChatsError("keys_not_found", "The user has no keys yet: set them up");
  }
  if ("device" in by) {
    if (findWrap(stored, by.device)) return by.device;
    throw new ChatsError(
      "device_not_found",
      "This device was revoked, or the keys were rotated: unlock with the password",
    );
  }
  const { salt, iterations } = stored.keys[0]?.wraps.find(({ kind }) => kind === "password") ?? {};
  if (salt === undefined || iterations === undefined) throw keysLocked();
  return await derivePasswordKey(by.password, { salt, iterations });
}

/** Lists the devices that can unlock the current key. */
export function rememberedDevices({ keys: [current] }: WrappedKeys): RememberedDevice[] {
  return (current?.wraps ?? []).flatMap(({ device_id, created_at }) =>
    device_id === undefined ? [] : { device_id, created_at }
  );
}

/** Counts the envelopes that the current key encrypts, and the others. */
export function rotationProgress({ epoch, keys, legacy_envelopes }: WrappedKeys): RotationProgress {
  const [current, ...older] = keys;
  const left = older.reduce((sum, key) => sum + key.envelopes, legacy_envelopes);
  return { epoch: epoch ?? 0, done: current?.envelopes ?? 0, left };
}

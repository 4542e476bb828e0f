/**
 * The keys as the server has them: wrapped.
 *
 * @module
 */

import { ChatsError } from "./chats_error.ts";
import { derivePasswordKey, type DeviceKey, type WrappingKey } from "../crypto/mod.ts";

/** What opens the keys: the password, or the key of a device that was remembered. */
export type Unlocking = { password: string } | { device: DeviceKey };

/** A wrap as it is sent. */
export interface NewWrap {
  kind: WrappingKey["kind"];
  wrap: string;
  device_id?: string;
  salt?: string;
  iterations?: number;
}

/** A wrap. */
export interface StoredWrap extends NewWrap {
  created_at: string;
  wrapped_by?: string;
}

/** The data key of an epoch. */
export interface StoredKey {
  id: string;
  epoch: number;
  envelopes: number;
  wraps: StoredWrap[];
}

/** `GET /chats/keys`. */
export interface StoredKeys {
  version: number;
  key_id: string | null;
  epoch: number | null;
  /** Newest first. */
  keys: StoredKey[];
  legacy_envelopes: number;
}

/** What a change of the keys is answered with. */
export interface KeyChange {
  version: number;
}

/** The wrap of the key in force that this key opens. */
export function findWrap(
  { keys: [inForce] }: StoredKeys,
  under: WrappingKey,
): StoredWrap | undefined {
  return inForce?.wraps.find((wrap) => {
    if (wrap.kind !== under.kind) return false;
    if (under.kind === "password") {
      return wrap.salt === under.salt && wrap.iterations === under.iterations;
    }
    return under.kind !== "device" || wrap.device_id === under.device_id;
  });
}

/**
 * The key that opens the key in force.
 *
 * @throws ChatsError `keys_not_found`, `device_not_found`, `keys_locked`
 */
export async function wrappingKey(stored: StoredKeys, by: Unlocking): Promise<WrappingKey> {
  if (stored.version === 0) {
    throw new ChatsError("keys_not_found", "There are no keys yet: set them up");
  }
  if ("device" in by) {
    if (findWrap(stored, by.device)) return by.device;
    throw new ChatsError("device_not_found", "This device opens the keys no more");
  }
  const { salt, iterations } = stored.keys[0]?.wraps.find(({ kind }) => kind === "password") ?? {};
  if (salt === undefined || iterations === undefined) throw locked();
  return await derivePasswordKey(by.password, { salt, iterations });
}

/** `keys_locked`: nothing that is at hand opens the keys. */
export function locked(): ChatsError {
  return new ChatsError("keys_locked", "The keys have to be unlocked (again)");
}

/** `keys_rolled_back`: no chain of wraps leads to the key that this device knows. */
export function rolledBack(): ChatsError {
  return new ChatsError("keys_rolled_back", "The server offers older keys than this device knows");
}

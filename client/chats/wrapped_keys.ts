/**
 * A user's keys as the server stores them: wrapped.
 *
 * @module
 */

import {
  type Argon2idCost,
  derivePasswordKey,
  type DeviceKey,
  type PasskeyKey,
  type PasswordParameters,
  workOf,
  type WrappingKey,
} from "../crypto/mod.ts";
import { defined, Members, must } from "./answers.ts";
import { keyOf } from "./chat_cipher.ts";
import type { ChatStore } from "./chat_store.ts";
import { ChatsError, keysLocked } from "./chats_error.ts";

/** What unlocks the keys: the password, the key of a remembered device, or the key that a passkey computed. */
export type Unlocking = { password: string } | { device: DeviceKey } | { passkey: PasskeyKey };

/** A wrap as a client sends it. */
export interface NewKeyWrap {
  kind: WrappingKey["kind"];
  wrap: string;
  device_id?: string;
  salt?: string;
  iterations?: number;
  memory_kib?: number;
  passes?: number;
  credential_id?: string;
  name?: string;
}

/** A wrap as the server returns it. */
export interface KeyWrap extends NewKeyWrap {
  created_at: string;
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
  /** The number of the proof that the next change needs; null if it needs none. */
  proof_number: number | null;
}

/** Reads the answer of `GET /chats/keys`: each epoch once, without a gap, the current one first. */
export function readKeys(answer: unknown): WrappedKeys {
  const members = new Members(answer);
  const version = members.count("version");
  const keys = members.list("keys").map((key) => ({
    id: key.uuid("id"),
    epoch: key.count("epoch", 1),
    envelopes: key.count("envelopes"),
    wraps: key.list("wraps").map(readWrap),
  }));
  const [current] = keys;
  must(
    (version === 0) === (current === undefined),
    "keys and version do not fit",
  );
  must(keys.every(({ epoch }, index) => epoch === keys.length - index), "the epochs have a gap");
  must(new Set(keys.map(({ id }) => id)).size === keys.length, "two epochs have the same id");
  for (const { wraps } of keys) {
    const names = wraps.map(({ kind, device_id }) => `${kind} ${device_id}`);
    must(new Set(names).size === names.length, "two wraps are of the same kind");
  }
  const key_id = current ? members.uuid("key_id") : null;
  const epoch = current ? members.count("epoch") : null;
  must(
    !current || key_id === current.id && epoch === current.epoch,
    "the current epoch is not the newest",
  );
  const legacy_envelopes = members.count("legacy_envelopes");
  const proof_number = members.optionalCount("proof_number") ?? null;
  return { version, key_id, epoch, keys, legacy_envelopes, proof_number };
}

function readWrap(wrap: Members): KeyWrap {
  const optional = {
    device_id: wrap.optionalText("device_id"),
    salt: wrap.optionalText("salt"),
    iterations: wrap.optionalCount("iterations"),
    memory_kib: wrap.optionalCount("memory_kib"),
    passes: wrap.optionalCount("passes"),
  };
  return {
    // A kind that this client does not know is the kind of none of its wrapping keys.
    kind: wrap.text("kind") as KeyWrap["kind"],
    wrap: wrap.text("wrap"),
    created_at: wrap.time("created_at"),
    ...defined(optional),
  };
}

/** A device that can unlock the keys without the password. */
export interface RememberedDevice {
  readonly device_id: string;
  /** ISO 8601. */
  readonly created_at: string;
}

/** What a rotation makes. */
export interface Rotation {
  /** To show once. */
  readonly recoveryKey: string;
  /** If this device is remembered: the app stores it in place of the old device key. */
  readonly device?: DeviceKey;
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
      const { iterations, memory_kib, passes }: Partial<NewKeyWrap> = under;
      return wrap.salt === under.salt && wrap.iterations === iterations &&
        wrap.memory_kib === memory_kib && wrap.passes === passes;
    }
    return !("device_id" in under) || wrap.device_id === under.device_id;
  });
}

/**
 * Returns the wrapping key that opens the current key: the device's or the passkey's, or one derived from the password.
 *
 * @param stored the keys on the server
 * @param by the password, the device or the passkey
 * @param least the cost of the costliest derivation that this device has seen: nothing cheaper is accepted
 * @throws ChatsError `keys_not_found`, `device_not_found`, `keys_locked`, `password_weakened`
 */
export async function unlockingKey(
  stored: WrappedKeys,
  by: Unlocking,
  least: Argon2idCost | null,
): Promise<WrappingKey> {
  if (stored.version === 0) {
    throw new ChatsError("keys_not_found", "The user has no keys yet: set them up");
  }
  if (!("password" in by)) {
    const key = "device" in by ? by.device : by.passkey;
    if (findWrap(stored, key)) return key;
    throw new ChatsError(
      "device_not_found",
      "This device was revoked, or the keys were rotated: use the password",
    );
  }
  const parameters = passwordParameters(stored);
  if (!parameters) throw keysLocked();
  if (least && workOfParameters(parameters) < workOf(least)) {
    throw new ChatsError(
      "password_weakened",
      "The server offers a weaker derivation of the password than before",
    );
  }
  return await derivePasswordKey(by.password, parameters);
}

/** Returns how the password key of the current key is derived. */
export function passwordParameters(
  { keys: [current] }: WrappedKeys,
): PasswordParameters | undefined {
  const wrap = current?.wraps.find(({ kind }) => kind === "password");
  const { salt, iterations, memory_kib, passes } = wrap ?? {};
  if (salt === undefined) return undefined;
  if (memory_kib !== undefined && passes !== undefined) return { salt, memory_kib, passes };
  return iterations === undefined ? undefined : { salt, iterations };
}

/** Tells how much work a derivation is. Any Argon2id is more than any PBKDF2. */
export function workOfParameters(parameters: PasswordParameters): number {
  return "iterations" in parameters ? 0 : workOf(parameters);
}

/** Lists the devices that can unlock the current key. */
export function rememberedDevices({ keys: [current] }: WrappedKeys): RememberedDevice[] {
  return (current?.wraps ?? []).flatMap(({ kind, device_id, created_at }) =>
    kind === "device" ? { device_id: device_id!, created_at } : [] // each device has an id
  );
}

/** Counts the envelopes that the current key encrypts, and the others, of which this device knows some. */
export function rotationProgress(
  { epoch, keys, legacy_envelopes }: WrappedKeys,
  known: number,
): RotationProgress {
  const [current, ...older] = keys;
  const left = older.reduce((sum, key) => sum + key.envelopes, legacy_envelopes);
  return { epoch: epoch ?? 0, done: current?.envelopes ?? 0, left: Math.max(left, known) };
}

/** Counts the envelopes in a store that the current key does not encrypt. What a sync has outdated is not counted. */
export async function outdatedIn(store: ChatStore, key_id: string | null): Promise<number> {
  let count = 0;
  for (const { id, encrypted_title, data_version, deleted } of await store.list()) {
    if (deleted) continue;
    const content = await store.content(id);
    const current = content?.data_version === data_version ? content : undefined;
    const parts = [...current?.segments ?? [], ...current ? [current] : []];
    const envelopes = [encrypted_title, ...parts.map((part) => part.encrypted_data)];
    count += envelopes.filter((text) => text !== null && keyOf(text) !== key_id).length;
  }
  return count;
}

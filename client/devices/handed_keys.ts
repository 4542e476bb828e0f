/**
 * What one device hands to another: the data key, and what it knows that the server could hide.
 *
 * @module
 */

import { mustFollowHead, openHead } from "../chats/account_head.ts";
import type { AccountHead } from "../chats/chat_store.ts";
import { ChatsError, keysRolledBack } from "../chats/chats_error.ts";
import { wrapUnderEach } from "../chats/key_chain.ts";
import { KeyRequests } from "../chats/key_requests.ts";
import { findKey, OpenKeys } from "../chats/open_keys.ts";
import { Requests } from "../chats/requests.ts";
import type { WrappedKeys } from "../chats/wrapped_keys.ts";
import { type Argon2idCost, type DeviceKey, historyKeyOf } from "../crypto/mod.ts";
import { approvalErrors } from "./approval_errors.ts";
import type { ApprovalOptions } from "./approval_state.ts";

/** What is handed over. */
interface HandedKeys {
  /** Id of the data key. */
  readonly key_id: string;
  /** The data key, wrapped under a key of the approval. */
  readonly wrap: string;
  /** Id of the oldest epoch that is accepted; 1 if none was closed. */
  readonly min_epoch: string | 1;
  readonly password_cost: Argon2idCost | null;
  /** The newest head of the account that the device has seen. */
  readonly history: AccountHead | null;
}

/**
 * Collects what a device hands over.
 *
 * @throws ChatsError of `sync`, if the server does not tell the truth; `keys_locked`
 */
export async function handKeys(
  { chats }: ApprovalOptions,
  under: DeviceKey,
): Promise<HandedKeys> {
  await chats.sync();
  const { stored, wraps } = await chats.keys.wrap(under);
  const { min_epoch = 1, password_cost, history = null } = await chats.store.state();
  return { key_id: stored.key_id!, wrap: wraps[0]!.wrap, min_epoch, password_cost, history };
}

/**
 * Takes over what another device has handed to this one: remembers it, makes a wrap for this device, unlocks the keys and
 * synchronises.
 *
 * @param options the chats of this device
 * @param handed what `handKeys` has returned there
 * @param keys `under`: opens it; `device`: the new key of this device
 * @throws ChatsError `approval_outdated`, `keys_rolled_back`, or an error of `sync`: then this device is not let in
 */
export async function takeKeys(
  { chats, supabase, user_id }: ApprovalOptions,
  handed: unknown,
  { under, device }: { under: DeviceKey; device: DeviceKey },
): Promise<void> {
  const { key_id, wrap, min_epoch, password_cost, history } = handed as HandedKeys;
  const requests = new KeyRequests(new Requests(supabase));
  const stored = await requests.read();
  const [current] = stored.keys;
  if (!current || current.id !== key_id) {
    throw stored.keys.some(({ id }) => id === key_id)
      ? approvalErrors.outdated()
      : keysRolledBack();
  }
  const { device_id } = under;
  const created_at = new Date().toISOString();
  const handedWrap = { kind: under.kind, device_id, wrap, created_at };
  const withHanded: WrappedKeys = {
    ...stored,
    keys: [{ ...current, wraps: [handedWrap] }, ...stored.keys.slice(1)],
  };
  // Also refuses it if this device remembers a newer key.
  const keys = new OpenKeys(user_id, chats.store);
  const key = await keys.openToWrap(withHanded, under);
  await remember(keys, { chats, user_id }, history);
  await keys.close(min_epoch);
  if (password_cost) await raiseCost({ chats }, password_cost);
  const wraps = await wrapUnderEach(key, [device], user_id);
  await requests.set(stored, { key, wraps }, () => {});
  await chats.keys.unlock({ device });
  try {
    await chats.sync();
  } catch (error) {
    const reached = error instanceof ChatsError && error.code !== "unreachable";
    if (reached) {
      await chats.keys.revokeDevice(device.device_id).catch(() => {});
      chats.keys.lock();
      throw error;
    }
  }
}

/** Remembers the head that the other device has seen, unless this one has seen a newer one. Each must follow the other. */
async function remember(
  keys: OpenKeys,
  { chats, user_id }: Pick<ApprovalOptions, "chats" | "user_id">,
  history: AccountHead | null,
): Promise<void> {
  const { history: seen } = await chats.store.state();
  if (!history) return;
  const openWith = async (head: AccountHead) => {
    const readable = { dataKeys: keys.dataKeys, refresh: () => Promise.resolve() };
    return await openHead(head, user_id, await findKey(readable, historyKeyOf(head.sealed) ?? ""));
  };
  const handed = await openWith(history);
  if (seen) {
    const known = await openWith(seen);
    const [later, earlier] = handed.counter < known.counter ? [known, handed] : [handed, known];
    mustFollowHead(later, earlier, keys.dataKeys);
    if (later === known) return;
  }
  await chats.store.apply({ state: { history } });
}

async function raiseCost(
  { chats }: Pick<ApprovalOptions, "chats">,
  password_cost: Argon2idCost,
): Promise<void> {
  const { password_cost: seen } = await chats.store.state();
  const work = ({ memory_kib, passes }: Argon2idCost) => memory_kib * passes;
  if (!seen || work(seen) < work(password_cost)) {
    await chats.store.apply({ state: { password_cost } });
  }
}

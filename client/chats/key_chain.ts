/**
 * The chain of a user's data keys: a wrapping key opens the current one, and each opens the one before.
 *
 * @module
 */

import {
  type Argon2idCost,
  type DataKey,
  derivePasswordKey,
  deriveRecoveryKey,
  type DeviceKey,
  epochKey,
  generateDataKey,
  generateRecoveryKey,
  newPasswordParameters,
  type PasswordKey,
  unwrap,
  wrap,
  type WrappingKey,
} from "../crypto/mod.ts";
import { keysLocked } from "./chats_error.ts";
import { findWrap, type NewKeyWrap, type WrappedKeys } from "./wrapped_keys.ts";

/** Wraps a data key under each of these wrapping keys. */
export async function wrapUnderEach(
  dataKey: DataKey,
  wrappingKeys: WrappingKey[],
  user_id: string,
): Promise<NewKeyWrap[]> {
  return await Promise.all(wrappingKeys.map(async (under) => ({
    kind: under.kind,
    ...(under.kind !== "epoch" && parametersOf(under)),
    wrap: await wrap(dataKey, { under, user_id }),
  })));
}

/** The members that are stored beside a wrap. */
function parametersOf<K extends WrappingKey>({ kind: _kind, key: _key, ...parameters }: K) {
  return parameters;
}

/** The data key of a new epoch. */
export interface NewEpoch {
  readonly key: DataKey;
  readonly passwordKey: PasswordKey;
  /** To show once. */
  readonly recoveryKey: string;
  /** Under the password, the recovery key, and the device key if there is one. */
  readonly wraps: NewKeyWrap[];
}

/**
 * Makes the data key of a new epoch, and wraps it.
 *
 * @param under the password for the chats, and the cost of its derivation
 * @param user_id UUID of the user
 * @param more `device`: also wraps the key; `before`: the data key of the epoch before, extractable, which the new one wraps
 */
export async function makeEpoch(
  under: { password: string; cost: Argon2idCost },
  user_id: string,
  { device, before }: { device?: DeviceKey | undefined; before?: DataKey } = {},
): Promise<NewEpoch> {
  const { password, cost } = under;
  const passwordKey = await derivePasswordKey(password, newPasswordParameters(cost));
  const recoveryKey = generateRecoveryKey();
  const fresh = await generateDataKey();
  const wrappingKeys = [
    passwordKey,
    await deriveRecoveryKey(recoveryKey),
    ...device ? [device] : [],
  ];
  const wraps = await wrapUnderEach(fresh, wrappingKeys, user_id);
  const { wrap: wrapped } = wraps[0]!; // the password's
  const key = await unwrap(wrapped, { under: passwordKey, user_id, key_id: fresh.key_id });
  if (before) wraps.push(...await wrapUnderEach(before, [epochKey(key)], user_id));
  return { key, passwordKey, recoveryKey, wraps };
}

/**
 * Opens the current data key.
 *
 * @throws ChatsError `keys_locked` if the wrapping key is not one of the current ones; CryptoError `decryption_failed`
 */
export async function openCurrent(
  stored: WrappedKeys,
  under: WrappingKey,
  user_id: string,
  { extractable = false }: { extractable?: boolean } = {},
): Promise<DataKey> {
  const [current] = stored.keys;
  const wrapped = findWrap(stored, under);
  if (!current || !wrapped) throw keysLocked();
  return await unwrap(wrapped.wrap, { under, user_id, key_id: current.id, extractable });
}

/**
 * Opens all data keys that the current one leads to, newest first.
 *
 * @throws as {@link openCurrent}
 */
export async function openChain(
  stored: WrappedKeys,
  under: WrappingKey,
  user_id: string,
): Promise<DataKey[]> {
  let newer = await openCurrent(stored, under, user_id);
  const keys = [newer];
  for (const { id, wraps } of stored.keys.slice(1)) {
    // It opens with the next newer key only, whatever the server says.
    const link = wraps.find(({ kind }) => kind === "epoch");
    if (!link) break;
    newer = await unwrap(link.wrap, { under: epochKey(newer), user_id, key_id: id });
    keys.push(newer);
  }
  return keys;
}

/**
 * Rotations and closings of epochs on a device with a faulty network, while other devices act too.
 *
 * @module
 */

import assert from "node:assert/strict";

import type { Chats, ChatsError, DeviceKey } from "../../mod.ts";

/** The code of an error; empty if it has none. */
export const codeOf = (error: unknown) => (error as { code?: string } | undefined)?.code ?? "";

/**
 * Rotates the keys. If there is no answer, the device asks once more, or is switched off.
 *
 * @returns the new key of the device, null if it was not remembered; undefined if it did not rotate them, or cannot know
 */
export async function rotate(
  { keys }: Chats,
  password: string,
): Promise<DeviceKey | null | undefined> {
  try {
    return (await keys.rotate(password)).device ?? null;
  } catch (error) {
    if (codeOf(error) === "version_conflict") return undefined;
    if (codeOf(error) !== "unreachable") throw error;
    await (error as ChatsError).repeat?.().catch((error) =>
      assert.match(codeOf(error), /^(version_conflict|unreachable)$/)
    );
    return undefined;
  }
}

/** Closes the epochs before the current one. False if other devices have changed something meanwhile. */
export async function close(chats: Chats): Promise<boolean> {
  try {
    await chats.closeEpochs();
    return true;
  } catch (error) {
    if (!/^(epoch_in_use|history_conflict|key_epoch_old)$/.test(codeOf(error))) throw error;
    return false;
  }
}

/** Whether an older key encrypts a part of a chat in the store. */
export async function isOutdated(chats: Chats, id: string): Promise<boolean> {
  const [chat, content] = [await chats.store.get(id), await chats.store.content(id)];
  const parts = [...content?.segments ?? [], ...content ? [content] : []];
  const texts = [chat?.encrypted_title, ...parts.map((part) => part.encrypted_data)];
  const { key_id } = chats.keys.current;
  return texts.some((text) => text && JSON.parse(text).key_id !== key_id);
}

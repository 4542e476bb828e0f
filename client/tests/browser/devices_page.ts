/**
 * What the check of the package in a browser runs in the page about devices and passkeys: see `page.ts`.
 *
 * @module
 */

import { createClient } from "@supabase/supabase-js";

import { Approval, NewDevice } from "../../devices/devices.ts";
import { Chats } from "../../mod.ts";
import { Passkeys } from "../../passkeys/passkeys.ts";
import { IndexedDbStore } from "../../stores/indexeddb.ts";
import type { Session } from "./page.ts";

const PASSWORD = "a password for the chats";

/** Where the page keeps the state of an approval: a reload finds it. */
const STATE = "approval";

async function open({ url, key, token, user_id }: Session) {
  const supabase = createClient(url, key, { accessToken: () => Promise.resolve(token) });
  const store = await IndexedDbStore.open(user_id);
  const chats = new Chats(supabase, user_id, { store });
  const onState = (state: string | null) =>
    state === null ? sessionStorage.removeItem(STATE) : sessionStorage.setItem(STATE, state);
  const approvals = { supabase, user_id, chats, onState };
  const passkeys = new Passkeys({ supabase, user_id, chats, rp: { name: "Strongroom" } });
  return { store, chats, approvals, passkeys };
}

/** Returns the code of an error, or what ran well. */
async function coded<T>(run: () => Promise<T>): Promise<T | { code: string }> {
  try {
    return await run();
  } catch (error) {
    return { code: (error as { code?: string }).code ?? `${error}` };
  }
}

/** Sets up keys, with a chat, and adds a passkey. */
export async function addPasskey(session: Session, name: string, first: boolean) {
  const { chats, passkeys, store } = await open(session);
  if (first) {
    await chats.keys.setUp(PASSWORD);
    await chats.save(chats.create(), "Good morning");
  } else await chats.keys.unlock({ password: PASSWORD });
  const added = await coded(async () => {
    const { name: shown } = await passkeys.add(name, { name: "ada@example.com" });
    return { shown, supported: await passkeys.supported() };
  });
  store.close();
  return added;
}

/** Unlocks the chats with a passkey. */
export async function unlockByPasskey(session: Session) {
  const { chats, passkeys, store } = await open(session);
  const unlocked = await coded(async () => {
    await passkeys.unlock();
    await chats.sync();
    const [chat] = await chats.list();
    const [passkey] = await passkeys.list();
    const { content } = await chats.open(chat!.id);
    return { content, name: passkey!.name, used: passkey!.last_used_at !== null };
  });
  store.close();
  return unlocked;
}

/** Begins as a new device, or continues after a reload; returns what is shown. */
export async function beginDevice(session: Session) {
  const { approvals } = await open(session);
  const state = sessionStorage.getItem(STATE);
  const device = state === null
    ? await NewDevice.begin(approvals, "Chromium")
    : await NewDevice.resume(approvals, state);
  return { code: device.code, qr: device.qr };
}

/** Waits to be let in, and unlocks the chats with the device key that IndexedDB has kept. */
export async function acceptDevice(session: Session) {
  const { approvals, store } = await open(session);
  const device = await NewDevice.resume(approvals, sessionStorage.getItem(STATE)!);
  await store.setDeviceKey(await device.accept({ poll_ms: 50 }));
  store.close();
  const again = await open(session);
  const kept = await again.store.deviceKey();
  await again.chats.keys.unlock({ device: kept! });
  const [chat] = await again.chats.list();
  const { content } = await again.chats.open(chat!.id);
  return { content, extractable: kept!.key.extractable, state: sessionStorage.getItem(STATE) };
}

/** Lets a new device in with what it shows. */
export async function approveDevice(session: Session, text: string): Promise<string> {
  const { approvals, chats } = await open(session);
  await chats.keys.unlock({ password: PASSWORD });
  const approval = await Approval.begin(approvals, text);
  const name = await approval.name({ poll_ms: 50 });
  await approval.approve();
  return name;
}

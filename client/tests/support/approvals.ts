/**
 * Devices of one user of which one lets another in, each behind a server that may lie.
 *
 * @module
 */

import { createClient } from "@supabase/supabase-js";

import { signUp, stack, type TestUser } from "../../../supabase/functions/_testing/testing.ts";
import { Approval, type ApprovalOptions, NewDevice } from "../../devices/devices.ts";
import { Chats, type ChatStore, MemoryStore } from "../../mod.ts";
import { type Json, LyingServer } from "./lying_server.ts";

export const PASSWORD = "a password for the chats";

/** Milliseconds between two looks at the server: tests need not wait for a person. */
export const POLL = { poll_ms: 20 };

/** A device, the server as it sees it, and what it keeps of an approval. */
export class ApprovingDevice {
  readonly server = new LyingServer();
  readonly chats: Chats;
  readonly options: ApprovalOptions;
  /** What `onState` was last called with. */
  state: string | null | undefined;

  constructor(user: TestUser, store: ChatStore = new MemoryStore(), url = stack.url) {
    const supabase = createClient(url, stack.publishableKey, {
      accessToken: () => Promise.resolve(user.token),
      global: { fetch: this.server.fetch },
    });
    this.chats = new Chats(supabase, user.id, { store });
    const onState = (state: string | null) => void (this.state = state);
    this.options = { supabase, user_id: user.id, chats: this.chats, onState };
  }

  /** Begins as a new device. */
  begin(name = "Firefox on Linux"): Promise<NewDevice> {
    return NewDevice.begin(this.options, name);
  }

  /** Reads the code of a new device. */
  read(text: string, id?: string): Promise<Approval> {
    return Approval.begin(this.options, text, id);
  }
}

/** Makes a new user with a device that has keys and a chat, and a new device. */
export async function twoDevices() {
  const user = await signUp();
  const phone = new ApprovingDevice(user);
  await phone.chats.keys.setUp(PASSWORD);
  const chat = await phone.chats.save(phone.chats.create(), "Hello", { title: "Greetings" });
  return { user, phone, laptop: new ApprovingDevice(user), chat };
}

/** Lets a new device in, and returns its device key. */
export async function letIn(phone: ApprovingDevice, laptop: ApprovingDevice, text?: string) {
  const device = await laptop.begin();
  const accepted = device.accept(POLL);
  // It may fail before it is awaited below.
  accepted.catch(() => {});
  const approval = await phone.read(text ?? device.code);
  await approval.name(POLL);
  await approval.approve();
  return await accepted;
}

/** A lie about the rows of approvals; the other answers stay. */
export function aboutRows(change: (row: Json, rows: Json[]) => Json) {
  return (answer: Json, { method, path }: { method: string; path: string }) =>
    method === "GET" && path === "chats/approvals"
      ? { approvals: answer.approvals.map((row: Json) => change(row, answer.approvals)) }
      : undefined;
}

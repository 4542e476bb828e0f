/** The keys and the encrypted chats of the user on this device. */

import {
  type Chat,
  ChatConflict,
  Chats,
  type ChatSummary,
  type DeviceKey,
} from "@strongroom/client/chats";
import { IndexedDbStore } from "@strongroom/client/stores/indexeddb";
import { useCallback, useEffect, useMemo, useState } from "react";

import { strongroom, supabase } from "../backend";
import { useChanges } from "../changes";
import { useUser } from "../session";

export type { Chat, ChatSummary };

/** What the user has to do before chats can be read. `new`: choose a passphrase. `locked`: enter it. */
export type VaultState = "loading" | "new" | "locked" | "open" | "failed";

export interface Vault {
  state: VaultState;
  problem: Error | undefined;
  list: ChatSummary[] | undefined;
  chats: Chats | undefined;
  /** Makes the keys; returns the recovery key. */
  setUp(passphrase: string): Promise<string>;
  /** To call when the user has kept the recovery key. */
  enter(): Promise<void>;
  unlock(passphrase: string): Promise<void>;
  recover(recoveryKey: string, passphrase: string): Promise<void>;
  /** Unlocks the chats by something else than the passphrase. */
  unlockBy(run: () => Promise<void>): Promise<void>;
  /** Keeps the key of this device, which another one has let in. */
  keep(device: DeviceKey): Promise<void>;
  lock(): Promise<void>;
  /** Adds a text to a chat, or begins one; returns the chat. */
  write(chat: Chat | undefined, text: string): Promise<Chat>;
  remove(chat: ChatSummary): Promise<void>;
  retry(): void;
}

/** Characters of the first text that become the title. */
const TITLE_LENGTH = 48;

export function useVault(): Vault {
  const user = useUser();
  const { listen } = useChanges();
  const [opened, setOpened] = useState<{ chats: Chats; store: IndexedDbStore }>();
  const [state, setState] = useState<VaultState>("loading");
  const [problem, setProblem] = useState<Error>();
  const [list, setList] = useState<ChatSummary[]>();
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    let current = true;
    open(user.id).then((result) => {
      if (!current) return;
      setOpened(result);
      setState(result.state);
      setProblem(undefined);
    }, (error) => {
      if (!current) return;
      setProblem(error);
      setState("failed");
    });
    return () => {
      current = false;
    };
  }, [user.id, attempt]);

  const sync = useCallback(async () => {
    if (!opened) return;
    try {
      await opened.chats.sync();
      setProblem(undefined);
    } catch (error) {
      // What this device has can still be read.
      setProblem(error as Error);
    }
    setList(await opened.chats.list());
  }, [opened]);
  useEffect(() => {
    if (state !== "open") return;
    sync();
    return listen("chats", sync);
  }, [state, sync, listen]);

  return useMemo(() => {
    const ready = () => {
      if (!opened) throw new Error("The chats are not open yet");
      return opened;
    };
    const remember = async () => {
      const { chats, store } = ready();
      await store.setDeviceKey(await chats.keys.rememberDevice());
      setState("open");
    };
    return {
      state,
      problem,
      list,
      chats: opened?.chats,
      setUp: (passphrase) => ready().chats.keys.setUp(passphrase),
      enter: remember,
      async unlock(passphrase) {
        await ready().chats.keys.unlock({ password: passphrase });
        await remember();
      },
      async recover(recoveryKey, passphrase) {
        await ready().chats.keys.recover(recoveryKey, passphrase);
        await remember();
      },
      async unlockBy(run) {
        await run();
        await remember();
      },
      async keep(device) {
        await ready().store.setDeviceKey(device);
        setState("open");
      },
      async lock() {
        const { chats, store } = ready();
        await store.setDeviceKey(undefined);
        chats.keys.lock();
        setState("locked");
      },
      async write(chat, text) {
        const { chats } = ready();
        const saved = chat
          ? await append(chats, chat, text)
          : await chats.save(chats.create(), text, { title: text.slice(0, TITLE_LENGTH) });
        setList(await chats.list());
        return saved;
      },
      async remove(chat) {
        const { chats } = ready();
        await chats.delete(chat);
        setList(await chats.list());
      },
      retry: () => setAttempt((before) => before + 1),
    };
  }, [opened, state, problem, list]);
}

/** Adds a text, also if another device has changed the chat in between. */
async function append(chats: Chats, chat: Chat, text: string): Promise<Chat> {
  try {
    return await chats.append(chat, text);
  } catch (error) {
    if (!(error instanceof ChatConflict) || !error.chat) throw error;
    return await append(chats, error.chat, text);
  }
}

async function open(
  user_id: string,
): Promise<{ chats: Chats; store: IndexedDbStore; state: VaultState }> {
  const store = await IndexedDbStore.open(user_id);
  const chats = new Chats(supabase, user_id, { store });
  const keys = await strongroom.chats.keys().throwOnError();
  if (keys.version === 0) return { chats, store, state: "new" };
  const device = await store.deviceKey();
  if (!device) return { chats, store, state: "locked" };
  try {
    await chats.keys.unlock({ device });
    return { chats, store, state: "open" };
  } catch (error) {
    // This device was revoked, or the keys were replaced: only the passphrase helps.
    if ((error as { code?: string }).code !== "device_not_found") throw error;
    return { chats, store, state: "locked" };
  }
}

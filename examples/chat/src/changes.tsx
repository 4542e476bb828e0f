/** What the server says has changed, for all parts of the app: one subscription for the page. */

import type { LiveStatus } from "@strongroom/client";
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useState,
} from "react";

import { strongroom } from "./backend";
import { useUser } from "./session";

type Topic = "messages" | "chats" | "files";

/** Milliseconds after the last of several changes before the balance is read. */
const PAUSE_MS = 400;

interface Changes {
  status: LiveStatus;
  /** Credits that can be spent; undefined until they are known. */
  available: number | undefined;
  /** Reads the credits again: after they were spent, which no wake-up says. */
  readBalance(): void;
  /** Calls a listener whenever something of a topic may have changed, and once at the beginning. */
  listen(topic: Topic, listener: () => void): () => void;
}

const ChangesContext = createContext<Changes | undefined>(undefined);

export function useChanges(): Changes {
  const changes = useContext(ChangesContext);
  if (!changes) throw new Error("There is no ChangesProvider above");
  return changes;
}

/** Runs something now, and whenever something of a topic may have changed. */
export function useWhenChanged(topic: Topic, run: () => void): void {
  const { listen } = useChanges();
  useEffect(() => {
    run();
    return listen(topic, run);
  }, [topic, run, listen]);
}

export function ChangesProvider({ children }: { children: ReactNode }) {
  const user = useUser();
  const [status, setStatus] = useState<LiveStatus>("connecting");
  const [available, setAvailable] = useState<number>();
  const listeners = useMemo(() => new Set<{ topic: Topic; listener: () => void }>(), []);

  const readBalance = useCallback(async () => {
    const { data } = await strongroom.credits.balance();
    if (data) setAvailable(data.available);
  }, []);

  useEffect(() => {
    let spending: ReturnType<typeof setTimeout> | undefined;
    const tell = (topic: Topic) => {
      for (const each of listeners) if (each.topic === topic) each.listener();
      // Answers and images, perhaps of another device, may have been paid for.
      clearTimeout(spending);
      spending = setTimeout(readBalance, PAUSE_MS);
    };
    const live = strongroom.live({
      onCredits: (wakeUp) => wakeUp.missed ? readBalance() : setAvailable(wakeUp.available),
      onMessages: () => tell("messages"),
      onChats: () => tell("chats"),
      onFiles: () => tell("files"),
      onStatus: setStatus,
    });
    return () => {
      clearTimeout(spending);
      live.stop();
    };
  }, [user.id, listeners, readBalance]);

  const changes = useMemo<Changes>(() => ({
    status,
    available,
    readBalance,
    listen(topic, listener) {
      const entry = { topic, listener };
      listeners.add(entry);
      return () => listeners.delete(entry);
    },
  }), [status, available, listeners, readBalance]);
  return <ChangesContext value={changes}>{children}</ChangesContext>;
}

import { useCallback, useEffect, useState } from "react";

import { Composer } from "../conversation/composer";
import { go } from "../route";
import { LockIcon, PlusIcon, TrashIcon } from "../ui/icons";
import { Problem } from "../ui/problem";
import { AddDevice } from "./add_device";
import { SetUp, Unlock } from "./gate";
import { AddPasskey } from "./passkey";
import { type Chat, type ChatSummary, useVault, type Vault } from "./vault";

/** Encrypted chats: a list, and the chat that is open. */
export function PrivateChats({ id }: { id: string | undefined }) {
  const vault = useVault();
  if (vault.state === "loading") {
    return (
      <section className="center" aria-busy="true">
        <div className="card skeleton vault" />
      </section>
    );
  }
  if (vault.state === "failed") {
    return (
      <section className="page">
        <Problem of={vault.problem} retry={vault.retry} />
      </section>
    );
  }
  if (vault.state !== "open") {
    return (
      <section className="center">
        {vault.state === "new" ? <SetUp vault={vault} /> : <Unlock vault={vault} />}
      </section>
    );
  }
  return (
    <section className="split" data-open={id !== undefined}>
      <aside>
        <header>
          <h1>Private</h1>
          <button className="icon" aria-label="New private chat" onClick={() => go("private/new")}>
            <PlusIcon />
          </button>
        </header>
        <Problem of={vault.problem} />
        <ul>
          {vault.list?.map((chat) => (
            <li key={chat.id}>
              <a href={`#/private/${chat.id}`} aria-current={chat.id === id ? "page" : undefined}>
                <span>{chat.title ?? "Untitled"}</span>
              </a>
            </li>
          ))}
        </ul>
        {vault.list?.length === 0 && <p className="hint">Only you can read what you write here.</p>}
        <Devices vault={vault} />
      </aside>
      {id ? <PrivateChat key={id} id={id} vault={vault} /> : (
        <div className="nothing">
          <LockIcon />
          <p>Choose a chat, or begin one. The server only stores what it cannot read.</p>
          <button className="button" onClick={() => go("private/new")}>New private chat</button>
        </div>
      )}
    </section>
  );
}

function PrivateChat({ id, vault }: { id: string; vault: Vault }) {
  const { chats, list } = vault;
  const [chat, setChat] = useState<Chat>();
  const [draft, setDraft] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Error>();
  const summary = list?.find((each) => each.id === id);
  const version = summary?.version;

  const read = useCallback(async () => {
    if (!chats || version === undefined) return;
    try {
      setChat(await chats.open(id));
      setProblem(undefined);
    } catch (error) {
      const kept = await chats.openKept(id);
      if (kept) setChat(kept);
      else setProblem(error as Error);
    }
  }, [chats, id, version]);
  useEffect(() => {
    read();
  }, [read]);

  const send = async (text: string) => {
    setBusy(true);
    setProblem(undefined);
    try {
      const saved = await vault.write(chat, text);
      setChat(saved);
      setDraft("");
      if (id !== saved.id) go(`private/${saved.id}`);
    } catch (error) {
      setProblem(error as Error);
    }
    setBusy(false);
  };

  return (
    <div className="thread">
      <header>
        <a className="back" href="#/private">‹ Private</a>
        <h2>{chat?.title ?? "New private chat"}</h2>
        {summary && <Delete chat={summary} vault={vault} />}
      </header>
      <div className="messages">
        <p className="seal">
          <LockIcon /> Encrypted on this device
        </p>
        {(chat ? [chat.content, ...chat.segments] : []).map((text, index) => (
          <article key={index} className="message note">
            <p>{text}</p>
          </article>
        ))}
        <Problem of={problem} retry={draft ? () => send(draft) : read} />
      </div>
      <Composer
        text={draft}
        change={setDraft}
        send={(text) => !busy && send(text)}
        label="Write for your eyes only"
      />
    </div>
  );
}

function Delete({ chat, vault }: { chat: ChatSummary; vault: Vault }) {
  const remove = async () => {
    if (!confirm("Delete this chat on all your devices?")) return;
    await vault.remove(chat);
    go("private");
  };
  return (
    <button className="icon" aria-label="Delete this chat" onClick={remove}>
      <TrashIcon />
    </button>
  );
}

/** What the user compares on two devices: the same key, and the devices that have it. */
function Devices({ vault }: { vault: Vault }) {
  const [count, setCount] = useState<number>();
  const { chats } = vault;
  useEffect(() => {
    chats?.keys.devices().then((devices) => setCount(devices.length), () => {});
  }, [chats, vault.list]);
  if (!chats || chats.keys.locked) return null;
  const shown = chats.keys.current.key_id.slice(0, 8).toUpperCase().replace(/(....)/, "$1 ");
  return (
    <footer>
      <p className="hint">
        Key <code data-testid="key-id">{shown}</code>
        {count !== undefined && ` on ${count} ${count === 1 ? "device" : "devices"}`}. It looks the
        same on all of them.
      </p>
      <AddDevice vault={vault} />
      <AddPasskey vault={vault} />
      <button className="quiet" onClick={vault.lock}>Lock this device</button>
    </footer>
  );
}

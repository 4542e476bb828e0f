import { useCallback, useState } from "react";

import { BalanceCard } from "./account/credits";
import { supabase } from "./backend";
import { useWhenChanged } from "./changes";
import type { Route } from "./route";
import { useUser } from "./session";
import { ChatIcon, FileIcon, LockIcon, Logo, PlusIcon } from "./ui/icons";

/** Conversations in the list. */
const SHOWN = 50;

interface Item {
  id: string;
  title: string | null;
}

export function Sidebar({ route, close }: { route: Route; close: () => void }) {
  const user = useUser();
  const [items, setItems] = useState<Item[]>();

  const read = useCallback(async () => {
    const { data } = await supabase.from("conversations").select("id, title")
      .order("updated_at", { ascending: false }).limit(SHOWN);
    if (data) setItems(data);
  }, []);
  useWhenChanged("messages", read);

  const current = (page: Route["page"]) => route.page === page ? "page" : undefined;
  return (
    <nav
      className="sidebar"
      onClick={(event) => (event.target as Element).closest("a") && close()}
    >
      <div className="brand">
        <Logo /> Lantern
      </div>
      <a className="button wide" href="#/">
        <PlusIcon /> New conversation
      </a>
      <div className="links">
        <a href="#/private" aria-current={current("private")}>
          <LockIcon /> Private chats
        </a>
        <a href="#/files" aria-current={current("files")}>
          <FileIcon /> Files
        </a>
      </div>
      <h2>Conversations</h2>
      <div className="conversations">
        {items === undefined &&
          [72, 54, 63].map((width) => (
            <div key={width} className="skeleton" style={{ width: `${width}%` }} />
          ))}
        {items?.length === 0 && (
          <p className="hint">What you ask appears here, on all your devices.</p>
        )}
        {items?.map(({ id, title }) => (
          <a
            key={id}
            href={`#/c/${id}`}
            aria-current={route.page === "conversation" && route.id === id ? "page" : undefined}
          >
            <ChatIcon /> <span>{title ?? "Untitled"}</span>
          </a>
        ))}
      </div>
      <BalanceCard />
      <div className="me">
        <span className="avatar" aria-hidden="true">{user.email?.[0]?.toUpperCase()}</span>
        <span className="email" title={user.email}>{user.email}</span>
        <button className="quiet" onClick={() => supabase.auth.signOut()}>Sign out</button>
      </div>
    </nav>
  );
}

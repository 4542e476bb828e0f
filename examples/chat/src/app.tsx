import { useState } from "react";

import { NewPassword } from "./account/new_password";
import { SignIn } from "./account/sign_in";
import { ChangesProvider } from "./changes";
import { Conversation } from "./conversation/conversation";
import { Credits, OutOfCreditsProvider } from "./account/credits";
import { Files } from "./files/files";
import { PrivateChats } from "./private/private_chats";
import { useRoute } from "./route";
import { SessionGate } from "./session";
import { Connection } from "./ui/connection";
import { MenuIcon } from "./ui/icons";
import { Sidebar } from "./sidebar";

export function App() {
  return (
    <SessionGate
      signedOut={(problem) => <SignIn problem={problem} />}
      recovery={(done) => <NewPassword done={done} />}
    >
      <ChangesProvider>
        <OutOfCreditsProvider>
          <Shell />
        </OutOfCreditsProvider>
      </ChangesProvider>
    </SessionGate>
  );
}

function Shell() {
  const route = useRoute();
  const [menu, setMenu] = useState(false);
  return (
    <div className="shell" data-menu={menu}>
      <header className="topbar">
        <button
          className="icon"
          aria-label="Menu"
          aria-expanded={menu}
          onClick={() => setMenu(!menu)}
        >
          <MenuIcon />
        </button>
        <span className="brand">Lantern</span>
      </header>
      <Sidebar route={route} close={() => setMenu(false)} />
      {menu && <div className="scrim" onClick={() => setMenu(false)} />}
      <main>
        <Connection />
        {route.page === "conversation" && <Conversation id={route.id} />}
        {route.page === "files" && <Files />}
        {route.page === "private" && <PrivateChats id={route.id} />}
        {route.page === "credits" && <Credits />}
      </main>
    </div>
  );
}

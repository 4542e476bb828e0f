/** Passkeys that unlock the private chats, where the browser derives keys from passkeys. */

import type { Chats } from "@strongroom/client/chats";
import { Passkeys } from "@strongroom/client/passkeys";
import { useEffect, useMemo, useState } from "react";

import { supabase } from "../backend";
import { useUser } from "../session";
import { Problem } from "../ui/problem";
import type { Vault } from "./vault";

function usePasskeys(chats: Chats | undefined): Passkeys | undefined {
  const user = useUser();
  const [supported, setSupported] = useState(false);
  const passkeys = useMemo(
    () =>
      chats && new Passkeys({ supabase, user_id: user.id, chats, rp: { name: document.title } }),
    [chats, user.id],
  );
  useEffect(() => {
    passkeys?.supported().then(setSupported);
  }, [passkeys]);
  return supported ? passkeys : undefined;
}

/** A button that runs something, and shows what goes wrong. A user who changes their mind is not told so. */
function Action({ label, run }: { label: string; run: () => Promise<unknown> }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Error>();
  const click = async () => {
    setBusy(true);
    setProblem(undefined);
    await run().catch((error) => {
      if (error.code !== "passkey_cancelled") setProblem(error);
    });
    setBusy(false);
  };
  return (
    <>
      <Problem of={problem} />
      <button type="button" className="quiet" disabled={busy} onClick={click}>{label}</button>
    </>
  );
}

/** Unlocks the chats of a device that has no key. */
export function UnlockByPasskey({ vault }: { vault: Vault }) {
  const passkeys = usePasskeys(vault.chats);
  if (!passkeys) return null;
  return <Action label="Use a passkey" run={() => vault.unlockBy(() => passkeys.unlock())} />;
}

/** Adds a passkey. */
export function AddPasskey({ vault }: { vault: Vault }) {
  const user = useUser();
  const passkeys = usePasskeys(vault.chats);
  const [count, setCount] = useState<number>();
  useEffect(() => {
    passkeys?.list().then((all) => setCount(all.length), () => {});
  }, [passkeys]);
  if (!passkeys) return null;
  const add = async () => {
    await passkeys.add(new Date().toLocaleDateString(), { name: user.email ?? user.id });
    setCount((await passkeys.list()).length);
  };
  return (
    <>
      {count !== undefined && count > 0 && (
        <p className="hint">{count} {count === 1 ? "passkey" : "passkeys"}</p>
      )}
      <Action label="Add a passkey" run={add} />
    </>
  );
}

/** Lets a new device in, with the code that it shows. */

import { Approval } from "@strongroom/client/devices";
import { type FormEvent, useState } from "react";

import { useUser } from "../session";
import { Problem } from "../ui/problem";
import { approvalOptions } from "./approval_options";
import type { Vault } from "./vault";

export function AddDevice({ vault }: { vault: Vault }) {
  const user = useUser();
  const { chats } = vault;
  const [open, setOpen] = useState(false);
  const [code, setCode] = useState("");
  const [busy, setBusy] = useState(false);
  const [waiting, setWaiting] = useState<{ approval: Approval; name: string }>();
  const [problem, setProblem] = useState<Error>();
  if (!chats) return null;

  const run = async (what: () => Promise<void>) => {
    setBusy(true);
    setProblem(undefined);
    try {
      await what();
    } catch (error) {
      setWaiting(undefined);
      setProblem(error as Error);
    }
    setBusy(false);
  };
  const read = (event: FormEvent) => {
    event.preventDefault();
    run(async () => {
      const approval = await Approval.begin(approvalOptions(user.id, chats, "old"), code);
      setWaiting({ approval, name: await approval.name() });
    });
  };
  const end = (what: () => Promise<void>) =>
    run(async () => {
      await what();
      setWaiting(undefined);
      setCode("");
      setOpen(false);
    });

  if (!open) return <button className="quiet" onClick={() => setOpen(true)}>Add a device</button>;
  if (waiting) {
    const { approval, name } = waiting;
    return (
      <div>
        <p>Let “{name}” read your private chats?</p>
        <button className="button" disabled={busy} onClick={() => end(() => approval.approve())}>
          Let it in
        </button>
        <button className="quiet" disabled={busy} onClick={() => end(() => approval.refuse())}>
          Refuse
        </button>
      </div>
    );
  }
  return (
    <form onSubmit={read}>
      <label>
        Code on the new device
        <input
          required
          autoComplete="off"
          spellCheck={false}
          value={code}
          onChange={(event) => setCode(event.target.value)}
        />
      </label>
      <p className="hint">Type it only if you see it on a device of yours.</p>
      <Problem of={problem} />
      <button className="quiet" disabled={busy}>{busy ? "Waiting …" : "Continue"}</button>
    </form>
  );
}

import { type FormEvent, useState } from "react";

import { CheckIcon, LockIcon } from "../ui/icons";
import { Problem } from "../ui/problem";
import { isWaiting, NewDeviceCode } from "./new_device";
import { UnlockByPasskey } from "./passkey";
import type { Vault } from "./vault";

/** What a new passphrase must have. The client refuses those that are easy to guess. */
const SHORTEST = 10;

/** Runs what a form does, and shows what goes wrong. */
function useSubmit(run: () => Promise<void>) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Error | string>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      await run();
    } catch (error) {
      const { code } = error as { code?: string };
      setProblem(
        code === "decryption_failed"
          ? "That is not right. Check it, and try again."
          : error as Error,
      );
    }
    setBusy(false);
  };
  return { busy, problem, submit };
}

/** Chooses the passphrase, and shows the recovery key once. */
export function SetUp({ vault }: { vault: Vault }) {
  const [passphrase, setPassphrase] = useState("");
  const [recoveryKey, setRecoveryKey] = useState<string>();
  const [kept, setKept] = useState(false);
  const first = useSubmit(async () => setRecoveryKey(await vault.setUp(passphrase)));
  const second = useSubmit(vault.enter);

  if (recoveryKey) {
    return (
      <form className="card vault" onSubmit={second.submit}>
        <CheckIcon />
        <h2>Keep your recovery key</h2>
        <p>If you forget your passphrase, only this key opens your private chats. We cannot.</p>
        <code className="key" data-testid="recovery-key">{recoveryKey}</code>
        <button
          type="button"
          className="quiet"
          onClick={() => navigator.clipboard.writeText(recoveryKey)}
        >
          Copy
        </button>
        <label className="check">
          <input
            type="checkbox"
            checked={kept}
            onChange={(event) => setKept(event.target.checked)}
          />
          I have kept it in a safe place
        </label>
        <Problem of={second.problem} />
        <button className="button wide" disabled={!kept || second.busy}>
          Open my private chats
        </button>
      </form>
    );
  }
  return (
    <form className="card vault" onSubmit={first.submit}>
      <LockIcon />
      <h2>Chats that only you can read</h2>
      <p>They are encrypted on this device. Choose a passphrase that you use nowhere else.</p>
      <label>
        Passphrase
        <input
          type="password"
          autoComplete="new-password"
          minLength={SHORTEST}
          required
          value={passphrase}
          onChange={(event) => setPassphrase(event.target.value)}
        />
      </label>
      <Problem of={first.problem} />
      <button className="button wide" disabled={first.busy}>
        {first.busy ? "Making your keys …" : "Set up private chats"}
      </button>
    </form>
  );
}

/** Unlocks the chats on a device that has no key yet. */
export function Unlock({ vault }: { vault: Vault }) {
  const [elsewhere, setElsewhere] = useState(isWaiting);
  const [forgotten, setForgotten] = useState(false);
  const [recoveryKey, setRecoveryKey] = useState("");
  const [passphrase, setPassphrase] = useState("");
  const { busy, problem, submit } = useSubmit(() =>
    forgotten ? vault.recover(recoveryKey, passphrase) : vault.unlock(passphrase)
  );
  if (elsewhere) return <NewDeviceCode vault={vault} back={() => setElsewhere(false)} />;
  return (
    <form className="card vault" onSubmit={submit}>
      <LockIcon />
      <h2>{forgotten ? "Use your recovery key" : "Unlock your private chats"}</h2>
      {!forgotten && <p>This device does not have your key yet. It is never sent to us.</p>}
      {forgotten && (
        <label>
          Recovery key
          <input
            required
            autoComplete="off"
            spellCheck={false}
            value={recoveryKey}
            onChange={(event) => setRecoveryKey(event.target.value)}
          />
        </label>
      )}
      <label>
        {forgotten ? "New passphrase" : "Passphrase"}
        <input
          type="password"
          autoComplete={forgotten ? "new-password" : "current-password"}
          minLength={forgotten ? SHORTEST : undefined}
          required
          value={passphrase}
          onChange={(event) => setPassphrase(event.target.value)}
        />
      </label>
      <Problem of={problem} />
      <button className="button wide" disabled={busy}>{busy ? "Unlocking …" : "Unlock"}</button>
      <UnlockByPasskey vault={vault} />
      <p className="switch">
        <button type="button" className="link" onClick={() => setElsewhere(true)}>
          Use another device
        </button>
      </p>
      <p className="switch">
        <button type="button" className="link" onClick={() => setForgotten(!forgotten)}>
          {forgotten ? "I know my passphrase" : "Forgot your passphrase?"}
        </button>
      </p>
    </form>
  );
}

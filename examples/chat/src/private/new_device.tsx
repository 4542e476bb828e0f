/** Gets the keys from another device, which reads the code that this one shows. */

import { NewDevice } from "@strongroom/client/devices";
import { useEffect, useState } from "react";
import { renderSVG } from "uqr";

import { useUser } from "../session";
import { LockIcon } from "../ui/icons";
import { Problem } from "../ui/problem";
import { approvalOptions, keptState } from "./approval_options";
import type { Vault } from "./vault";

/** Whether this device was waiting when the page was reloaded. */
export const isWaiting = (): boolean => keptState("new") !== null;

export function NewDeviceCode({ vault, back }: { vault: Vault; back: () => void }) {
  const user = useUser();
  const { chats, keep } = vault;
  const [device, setDevice] = useState<NewDevice>();
  const [problem, setProblem] = useState<Error>();
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    if (!chats) return;
    const leaving = new AbortController();
    const options = approvalOptions(user.id, chats, "new");
    const run = async () => {
      const kept = keptState("new");
      const begun = kept
        ? await NewDevice.resume(options, kept)
        : await NewDevice.begin(options, describeDevice());
      if (leaving.signal.aborted) return;
      setDevice(begun);
      await keep(await begun.accept({ signal: leaving.signal }));
    };
    run().catch((error) => {
      if (leaving.signal.aborted) return;
      options.onState?.(null);
      setDevice(undefined);
      setProblem(error);
    });
    return () => leaving.abort();
    // `keep` is a new function whenever the vault changes.
  }, [chats, user.id, attempt]);

  const again = () => {
    setProblem(undefined);
    setAttempt(attempt + 1);
  };
  const stop = async () => {
    await device?.cancel();
    back();
  };
  return (
    <div className="card vault">
      <LockIcon />
      <h2>Use another device</h2>
      <p>
        On a device that already shows your private chats, choose “Add a device” and type this code.
        Tell it to nobody.
      </p>
      {device && (
        <>
          <code className="key" data-testid="device-code">{device.code}</code>
          <img
            className="qr"
            alt="The same code, to scan"
            src={`data:image/svg+xml,${encodeURIComponent(renderSVG(device.qr))}`}
          />
          <p className="hint">
            Valid until {device.expires_at.toLocaleTimeString([], { timeStyle: "short" })}
          </p>
        </>
      )}
      <Problem of={problem} retry={again} />
      <p className="switch">
        <button type="button" className="link" onClick={stop}>Use my passphrase</button>
      </p>
    </div>
  );
}

/** What the other device shows, such as "Firefox on Linux". */
function describeDevice(): string {
  const { userAgent } = navigator;
  const find = (names: string[]) => names.find((name) => userAgent.includes(name));
  const browser = find(["Firefox", "Edg", "Chrome", "Safari"]) ?? "Browser";
  const system = find(["Android", "iPhone", "iPad", "Mac", "Windows", "Linux"]) ?? "a new device";
  return `${browser === "Edg" ? "Edge" : browser} on ${system}`;
}

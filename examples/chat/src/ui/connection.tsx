import { useEffect, useState, useSyncExternalStore } from "react";

import { useChanges } from "../changes";

/** How long a connection may take before this is said, in milliseconds. */
const PATIENCE_MS = 3_000;

/** Says that the device is offline, or that what is shown may be old. */
export function Connection() {
  const { status } = useChanges();
  const online = useSyncExternalStore(subscribe, () => navigator.onLine);
  const [late, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    if (status === "live") return;
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [status]);
  if (!online) {
    return <p className="strip" role="status">You are offline. What you see may be old.</p>;
  }
  if (late) return <p className="strip" role="status">Reconnecting …</p>;
  return null;
}

function subscribe(changed: () => void): () => void {
  addEventListener("online", changed);
  addEventListener("offline", changed);
  return () => {
    removeEventListener("online", changed);
    removeEventListener("offline", changed);
  };
}

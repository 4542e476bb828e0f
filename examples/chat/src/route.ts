/** Which part of the app is shown: the part of the URL after `#`. */

import { useSyncExternalStore } from "react";

export type Route =
  | { page: "conversation"; id: string | undefined }
  | { page: "files" }
  | { page: "private"; id: string | undefined }
  | { page: "credits" };

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  const [, page, id] = hash.split("/");
  if (page === "files" || page === "credits") return { page };
  if (page === "private") return { page, id };
  return { page: "conversation", id: page === "c" ? id : undefined };
}

export function go(path: string): void {
  location.hash = `#/${path}`;
}

function subscribe(changed: () => void): () => void {
  addEventListener("hashchange", changed);
  return () => removeEventListener("hashchange", changed);
}

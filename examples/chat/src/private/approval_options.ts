/** What an approval of a new device works with. Its state is kept for a reload of this tab, and nowhere else. */

import type { Chats } from "@strongroom/client/chats";
import type { ApprovalOptions } from "@strongroom/client/devices";

import { supabase } from "../backend";

type Role = "new" | "old";

const nameOf = (role: Role) => `approval-${role}`;

export const keptState = (role: Role): string | null => sessionStorage.getItem(nameOf(role));

export function approvalOptions(user_id: string, chats: Chats, role: Role): ApprovalOptions {
  const onState = (state: string | null) =>
    state === null
      ? sessionStorage.removeItem(nameOf(role))
      : sessionStorage.setItem(nameOf(role), state);
  return { supabase, user_id, chats, onState };
}

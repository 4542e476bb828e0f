/**
 * A tool that gives the conversation another title.
 *
 * @module
 */

import * as z from "zod/mini";

import { unwrap } from "../../_shared/rpc.ts";
import { serverTool, ToolError } from "./server_tool.ts";

/** Renames the conversation of the answer. It changes what the user sees, so the user is asked first. */
export const renameConversation = serverTool({
  name: "rename_conversation",
  description: "Gives this conversation another title. The user is asked before it is done.",
  input: z.strictObject({ title: z.string().check(z.minLength(1), z.maxLength(200)) }),
  needsApproval: true,
  async run({ title }, { supabase, signal, conversationId }) {
    if (!conversationId) {
      throw new ToolError("This answer is in a project, so there is no conversation to rename");
    }
    const renamed = unwrap(
      await supabase.from("conversations").update({ title }).eq("id", conversationId).select(
        "title",
      )
        .abortSignal(signal),
    );
    if (renamed.length === 0) throw new ToolError("The conversation no longer exists");
    return { title };
  },
});

/**
 * A tool that searches what the user has written and read before.
 *
 * @module
 */

import * as z from "zod/mini";

import { unwrap } from "../../_shared/rpc.ts";
import { serverTool } from "./server_tool.ts";

/** How many messages the model gets. */
const MOST_MESSAGES = 5;

/** How much of a message the model gets. */
const MOST_CHARACTERS = 500;

/** Searches the messages that the user may read. It changes nothing, so it needs no approval. */
export const searchMessages = serverTool({
  name: "search_messages",
  description: "Searches the user's earlier conversations for words. Returns the best matches.",
  input: z.strictObject({ query: z.string().check(z.minLength(1), z.maxLength(200)) }),
  async run({ query }, { supabase, signal }) {
    const found = unwrap(
      await supabase.rpc("search_messages", { query, limit: MOST_MESSAGES }).abortSignal(signal),
    );
    return {
      messages: found.map(({ role, created_at, snippet }) => ({
        role,
        created_at,
        // The snippet is HTML, in which the words that were found are marked.
        text: toText(snippet).slice(0, MOST_CHARACTERS),
      })),
    };
  },
});

function toText(html: string): string {
  return html.replace(/<[^>]*>/g, "").replaceAll("&lt;", "<").replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&amp;", "&");
}

/**
 * What a tool of the server is.
 *
 * @module
 */

import type { SupabaseClient } from "@supabase/supabase-js";
import type * as z from "zod/mini";

import type { Database } from "../../_shared/database.types.ts";

/** What a tool may use. */
export interface ToolContext {
  /** A client with the rights of the user who asked: row level security decides what it reads and changes. */
  supabase: SupabaseClient<Database>;
  /** Aborted when the answer is stopped, or the tool has taken too long. What the tool returns later is thrown away. */
  signal: AbortSignal;
  /** The user who asked. */
  userId: string;
  /** The answer that called. Together with `toolCallId`, it is a key for effects that must happen once. */
  answerId: string;
  toolCallId: string;
  /** Where the answer is written: in a conversation or in a project. */
  conversationId: string | null;
  projectId: string | null;
}

/** A tool that the server runs when a model calls it. */
export interface ServerTool<Input = unknown> {
  /** 1 to 64 letters, digits, `_` and `-`. */
  name: string;
  /** What the model is told: what the tool does, and when to call it. */
  description: string;
  /** What the tool takes. If the input has another form, the tool is not run, and the model learns why. */
  input: z.ZodMiniType<Input>;
  /** Whether the user must allow a call first: always, or depending on its input. Default: never. */
  needsApproval?: boolean | ((input: Input) => boolean);
  /** How long a call may take, in milliseconds, at most 60,000. Default: 10,000. */
  timeoutMs?: number;
  /**
   * Runs a call.
   *
   * @param input The input, as the schema returns it.
   * @param context See {@link ToolContext}.
   * @returns JSON of at most 32 KiB, which the model reads.
   * @throws {ToolError} with a message for the model. Of other errors, it learns only that the tool failed; the log has their names and codes.
   */
  run(input: Input, context: ToolContext): Promise<unknown>;
}

/** A failure that the model is told about, so that it can do something else. */
export class ToolError extends Error {
  override name = "ToolError";
}

/** Declares a tool, with the type of its input. */
export function serverTool<Input>(tool: ServerTool<Input>): ServerTool {
  return tool as unknown as ServerTool;
}

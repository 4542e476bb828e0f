/**
 * Runs calls of the server's tools. Whatever a tool does, the model gets an output that it can read.
 *
 * @module
 */

import * as z from "zod/mini";

import { logLine } from "../../_shared/log.ts";
import type { ToolOutput } from "../pieces.ts";
import { toOutput } from "./output.ts";
import { findTool } from "./registry.ts";
import { type ServerTool, type ToolContext, ToolError } from "./server_tool.ts";

/** How long a call may take unless its tool says otherwise, and at most, in milliseconds. */
const TIMEOUT_MS = 10_000;
const LONGEST_MS = 60_000;

/** A call of a tool that was offered. */
export interface CheckedCall {
  tool: ServerTool;
  input: unknown;
  needsApproval: boolean;
}

/** What the tools of an answer use, besides the call. */
export type AnswerContext = Omit<ToolContext, "toolCallId" | "signal">;

/** The most characters of what a model is told about a failure. */
const MOST_ERROR = 2_000;

/**
 * Says why a call failed, to the model.
 *
 * @param reason Why. It may repeat what the model has written, so that it is cut off, and what cannot be stored is replaced.
 */
export function failed(reason: string): ToolOutput {
  const errorText = reason.slice(0, MOST_ERROR).toWellFormed().replaceAll("\0", "\ufffd");
  return { state: "output-error", errorText };
}

/**
 * Checks a call.
 *
 * @param name Name of the tool that the model calls.
 * @param input Its input, as the model wrote it.
 * @param tools The tools of the server. Default: all.
 * @returns The call, or what the model is told if it cannot be run.
 */
export function checkCall(
  name: string,
  input: unknown,
  tools?: readonly ServerTool[],
): CheckedCall | ToolOutput {
  const tool = findTool(name, tools);
  if (!tool) return failed(`There is no tool "${name}"`);
  const parsed = z.safeParse(tool.input, input);
  if (!parsed.success) {
    const faults = parsed.error.issues.slice(0, 5).map(({ path, message }) =>
      `${path.join(".") || "input"}: ${message}`
    );
    return failed(`The input is invalid. ${faults.join("; ")}`);
  }
  try {
    const needsApproval = typeof tool.needsApproval === "function"
      ? tool.needsApproval(parsed.data)
      : tool.needsApproval ?? false;
    return { tool, input: parsed.data, needsApproval };
  } catch (error) {
    log(tool, error);
    return failed("The tool failed");
  }
}

/**
 * Runs a call. Never throws.
 *
 * @param call The call.
 * @param context What the tool may use.
 * @param answerSignal Aborted when the answer ends.
 */
export async function runCall(
  { tool, input }: CheckedCall,
  context: Omit<ToolContext, "signal">,
  answerSignal: AbortSignal,
): Promise<ToolOutput> {
  const ending = new AbortController();
  const timeoutMs = Math.min(tool.timeoutMs ?? TIMEOUT_MS, LONGEST_MS);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop = () => {};
  // A tool that does not listen to the signal must not keep the answer waiting.
  const ended = new Promise<never>((_, reject) => {
    const end = (reason: string) => {
      reject(new ToolError(reason));
      ending.abort();
    };
    stop = () => end("The answer ended before the tool returned");
    timer = setTimeout(() => end(`The tool took longer than ${timeoutMs} ms`), timeoutMs);
    if (answerSignal.aborted) stop();
    answerSignal.addEventListener("abort", stop);
  });
  try {
    const running = Promise.resolve().then(() =>
      tool.run(input, { ...context, signal: ending.signal })
    );
    return { state: "output-available", output: toOutput(await Promise.race([running, ended])) };
  } catch (error) {
    if (error instanceof ToolError) return failed(error.message);
    log(tool, error);
    return failed("The tool failed");
  } finally {
    clearTimeout(timer);
    answerSignal.removeEventListener("abort", stop);
    ended.catch(() => {});
  }
}

/** What a tool throws may contain what the user said, so only its name and code are logged. */
function log({ name }: ServerTool, error: unknown): void {
  const kind = error instanceof Error ? `${error.name}${codeOf(error)}` : typeof error;
  logLine("error", { message: `The tool ${name} failed: ${kind}` });
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? ` ${error.code}` : "";
}

/**
 * What the server does between two steps of an answer: it runs the calls of its tools, and asks for approval.
 *
 * @module
 */

import { asText, type Part, type Piece, type ToolOutput, toParts } from "../pieces.ts";
import { type ChatMessage, outputText, type Reasoning } from "../prompt.ts";
import type { WrittenCall } from "../writer.ts";
import { parseInput } from "./input.ts";
import { type AnswerContext, checkCall, failed, runCall } from "./run_tool.ts";
import type { ServerTool } from "./server_tool.ts";

/** The most calls of one step that are run. */
const MOST_CALLS = 16;

/** What the calls of an answer need. */
export interface CallOptions {
  context: AnswerContext;
  signal: AbortSignal;
  /** Whether the server runs a tool. */
  isServers: (name: string) => boolean;
  /** The tools of the server that the model is offered. It may call others, too. */
  offered: readonly ServerTool[];
  /** Writes a piece. */
  write: (piece: Piece) => void;
  /** Returns an output, or why the message has no room for it. */
  fit: (output: ToolOutput) => ToolOutput;
}

/** What came of the calls of a step. */
export interface CallResults {
  /** What the model is told about the calls. */
  messages: ChatMessage[];
  /** Whether calls wait for the client: for its outputs, or for approval. */
  isWaiting: boolean;
}

/**
 * Runs the calls of the server's tools that a step has made, at the same time. Writes what they return in the order of the
 * calls, then the requests for approval: so the pieces are in the order in which the message has them later.
 *
 * @param calls The calls, in the order of their parts.
 * @param options See {@link CallOptions}.
 */
export async function runCalls(calls: WrittenCall[], options: CallOptions): Promise<CallResults> {
  const { context, signal, isServers, offered, write, fit } = options;
  const results: CallResults = { messages: [], isWaiting: false };
  const approvals: Piece[] = [];
  const running = calls.map((call, index) => {
    if (!isServers(call.name)) return "client";
    const input = parseInput(call.text);
    if (input === undefined) return "unreadable";
    if (index >= MOST_CALLS) return failed(`A step can have at most ${MOST_CALLS} calls`);
    const checked = checkCall(call.name, input, offered);
    if ("state" in checked) return checked;
    if (checked.needsApproval) return "approval";
    return runCall(checked, { ...context, toolCallId: call.id }, signal);
  });
  for (const [index, { id, part }] of calls.entries()) {
    const result = running[index];
    const piece = { part, tool_call_id: id };
    if (result === "client") results.isWaiting = true;
    else if (result === "approval") {
      results.isWaiting = true;
      approvals.push({
        ...piece,
        type: "approval",
        approval: { id: `${context.answerId}/${part}` },
      });
    } else if (result === "unreadable") {
      results.messages.push(
        toMessage(id, failed("The input is not JSON that the server can hold")),
      );
    } else if (result) {
      const output = fit(await result);
      write({ ...piece, type: "output", output });
      results.messages.push(toMessage(id, output));
    }
  }
  for (const approval of approvals) write(approval);
  return results;
}

/**
 * Runs the calls that the user has approved. The database has checked that each is what the user was asked.
 *
 * @param content The message that goes on.
 * @param options See {@link CallOptions}.
 * @returns The parts of the message with the outputs.
 */
export async function runApproved(content: unknown, options: CallOptions): Promise<Part[]> {
  const { context, signal, write, fit } = options;
  const parts = toParts(content);
  const running = parts.map((part) => {
    const { state, type, input, toolCallId, approval } = part;
    if (state !== "approval-responded") return undefined;
    const { approved } = approval as { approved?: boolean };
    if (!approved) return { state: "output-denied" } as const;
    const checked = checkCall(type.slice("tool-".length), input);
    if ("state" in checked) return checked;
    return runCall(checked, { ...context, toolCallId: asText(toolCallId) }, signal);
  });
  for (const [part, result] of running.entries()) {
    if (!result) continue;
    const output = fit(await result);
    write({ part, type: "output", tool_call_id: asText(parts[part]?.toolCallId), output });
    parts[part] = { ...parts[part]!, ...output };
  }
  return parts;
}

/**
 * The message of a model that has called tools.
 *
 * @param text What it said besides.
 * @param calls The calls.
 * @param reasoning What it thought before.
 */
export function toAssistantMessage(
  text: string,
  calls: WrittenCall[],
  reasoning: Reasoning | undefined,
): ChatMessage {
  return {
    role: "assistant",
    content: text || null,
    reasoning,
    tool_calls: calls.map((call) => ({
      id: call.id,
      type: "function",
      // Some providers refuse a request in which the input of a call is not JSON.
      function: {
        name: call.name,
        arguments: parseInput(call.text) === undefined ? "{}" : call.text,
      },
      metadata: call.metadata,
    })),
  };
}

function toMessage(tool_call_id: string, output: ToolOutput): ChatMessage {
  return { role: "tool", tool_call_id, content: outputText({ type: "tool", ...output }) };
}

/**
 * Pieces: what an answer says, as it is stored while it is being written. Pieces of the same part, joined, are a part of a
 * message of the AI SDK. SQL joins them when the answer ends (`private.join_pieces`).
 *
 * @module
 */

import type { Json } from "../_shared/database.types.ts";
import { type ProviderMetadata, toMetadata } from "./provider_metadata.ts";

/** Something that an answer says. */
export interface Piece {
  /** Position of the part in its message, from 0. */
  part: number;
  /** `data` is a whole part that comes as it is. The last three are about a call of a tool that is there already. */
  type:
    | "step-start"
    | "text"
    | "reasoning"
    | "tool"
    | "data"
    | "output"
    | "approval"
    | "approval-response";
  /** Text that goes on the part. Of a tool call, its input as JSON. */
  text?: string;
  tool_call_id?: string;
  tool_name?: string;
  /** The whole part, of the type `data`. */
  data?: Part;
  /** Whether the server runs the tool. */
  server?: boolean;
  /** Of reasoning or a call; if several of its pieces have it, the last one counts. */
  provider_metadata?: ProviderMetadata;
  /** What a call has returned. */
  output?: ToolOutput;
  /** What the user is asked before the call is run, or has said. */
  approval?: { id: string; approved?: boolean; reason?: string };
}

/** What a call of a tool has returned, as the members of its part. */
export interface ToolOutput {
  state: "output-available" | "output-error" | "output-denied";
  output?: Json;
  errorText?: string;
}

/** A part of a message of the AI SDK. */
export interface Part {
  type: string;
  [member: string]: Json | undefined;
}

/**
 * Adds a piece to a list, joined with the last one if both are text of the same part.
 *
 * @param list The list, which is changed.
 * @param piece The piece.
 */
export function addPiece(list: Piece[], piece: Piece): void {
  const last = list.at(-1);
  if (last && last.part === piece.part && last.text !== undefined && piece.text !== undefined) {
    list[list.length - 1] = { ...last, ...piece, text: last.text + piece.text };
  } else {
    list.push(piece);
  }
}

/**
 * Takes the content of a message apart, in the order in which its pieces came: at the end of a step, first what the calls
 * without approval have returned, then the approvals, then what the approved calls have returned.
 *
 * @param content The content: a list of parts. Anything else counts as one text.
 * @returns One piece for each part, and those about the calls of tools.
 */
export function toPieces(content: unknown): Piece[] {
  const pieces: Piece[] = [];
  let calls: Piece[] = [];
  const endStep = () => {
    const rank = ({ type, approval }: Piece) =>
      type === "approval" ? 1 : type === "approval-response" ? 2 : approval ? 3 : 0;
    pieces.push(...calls.toSorted((a, b) => rank(a) - rank(b)));
    calls = [];
  };
  toParts(content).forEach((data, part) => {
    if (data.type === "step-start") endStep();
    pieces.push(toPiece(data, part));
    if (data.type.startsWith("tool-")) calls.push(...toCallPieces(data, part));
  });
  endStep();
  return pieces;
}

function toPiece(data: Part, part: number): Piece {
  if (data.type === "step-start") return { part, type: "step-start" };
  if (data.type === "text" || data.type === "reasoning") {
    const metadata = data.type === "reasoning" && toMetadata(data.providerMetadata);
    return {
      part,
      type: data.type,
      text: asText(data.text),
      ...metadata && { provider_metadata: metadata },
    };
  }
  if (!data.type.startsWith("tool-")) return { part, type: "data", data };
  const { input, rawInput } = data;
  const metadata = toMetadata(data.callProviderMetadata);
  return {
    part,
    type: "tool",
    tool_call_id: asText(data.toolCallId),
    tool_name: data.type.slice("tool-".length),
    text: input === undefined ? asText(rawInput) : JSON.stringify(input),
    ...data.providerExecuted === true && { server: true },
    ...metadata && { provider_metadata: metadata },
  };
}

/** What is known about a call besides its input. */
function toCallPieces(data: Part, part: number): Piece[] {
  const { state = "", output, errorText, input } = data;
  if (input === undefined) return [];
  const call = { part, tool_call_id: asText(data.toolCallId) };
  const approval = toApproval(data.approval);
  const pieces: Piece[] = [];
  if (approval) pieces.push({ ...call, type: "approval", approval: { id: approval.id } });
  if (approval?.approved !== undefined) {
    pieces.push({ ...call, type: "approval-response", approval });
  }
  if (OUTPUT_STATES.includes(asText(state))) {
    pieces.push({
      ...call,
      type: "output",
      ...approval && { approval },
      output: {
        state: asText(state) as ToolOutput["state"],
        ...output !== undefined && { output },
        ...errorText !== undefined && { errorText: asText(errorText) },
      },
    });
  }
  return pieces;
}

const OUTPUT_STATES = ["output-available", "output-error", "output-denied"];

function toApproval(value: unknown): Required<Piece>["approval"] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { id, approved, reason } = value as Record<string, unknown>;
  if (typeof id !== "string") return undefined;
  return {
    id,
    ...typeof approved === "boolean" && { approved },
    ...typeof reason === "string" && { reason },
  };
}

/** A text that users have saved; anything else is none. (An object may have a member `toString` that is no function.) */
export function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/**
 * Reads the content of a message as a list of parts. Apps may also have saved a text, or an object with one.
 *
 * @param content The content of a message.
 */
export function toParts(content: unknown): Part[] {
  if (Array.isArray(content)) return content.flatMap((item) => toParts(item));
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (typeof content !== "object" || content === null) return [];
  const { type, text, value, content: inner } = content as Record<string, unknown>;
  if (typeof type === "string" && (type !== "text" || typeof text === "string")) {
    return [content as Part];
  }
  return toParts(text ?? value ?? inner);
}

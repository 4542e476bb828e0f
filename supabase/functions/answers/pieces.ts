/**
 * Pieces: what an answer says, as it is stored while it is being written. Pieces of the same part, joined, are a part of a
 * message of the AI SDK. SQL joins them when the answer ends (`private.join_pieces`).
 *
 * @module
 */

import type { Json } from "../_shared/database.types.ts";

/** Something that an answer says. */
export interface Piece {
  /** Position of the part in its message, from 0. */
  part: number;
  /** `data` is a whole part that comes as it is. */
  type: "step-start" | "text" | "reasoning" | "tool" | "data";
  /** Text that goes on the part. Of a tool call, its input as JSON. */
  text?: string;
  tool_call_id?: string;
  tool_name?: string;
  /** The whole part, of the type `data`. */
  data?: Part;
  /** What a tool call has returned, in a message that goes on. */
  output?: { state: string; output?: Json; errorText?: string };
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
    list[list.length - 1] = { ...last, text: last.text + piece.text };
  } else {
    list.push(piece);
  }
}

/**
 * Takes the content of a message apart.
 *
 * @param content The content: a list of parts. Anything else counts as one text.
 * @returns One piece for each part.
 */
export function toPieces(content: unknown): Piece[] {
  return toParts(content).map((data, part): Piece => {
    if (data.type === "step-start") return { part, type: "step-start" };
    if (data.type === "text" || data.type === "reasoning") {
      return { part, type: data.type, text: asText(data.text) };
    }
    if (!data.type.startsWith("tool-")) return { part, type: "data", data };
    const { state = "", output, errorText, input, rawInput } = data as Record<string, Json>;
    const hasOutput = asText(state).startsWith("output-") && input !== undefined;
    return {
      part,
      type: "tool",
      tool_call_id: asText(data.toolCallId),
      tool_name: data.type.slice("tool-".length),
      text: input === undefined ? asText(rawInput) : JSON.stringify(input),
      ...hasOutput && {
        output: {
          state: asText(state),
          ...output !== undefined && { output },
          ...errorText !== undefined && { errorText: asText(errorText) },
        },
      },
    };
  });
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

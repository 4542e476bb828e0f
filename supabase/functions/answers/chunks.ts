/**
 * The chunks of the AI SDK's UI message stream, and their positions.
 *
 * A position counts what a client has: each chunk counts 1, and a delta of text its length. It does not depend on how the
 * text was cut, so that a client can go on from its position when the answer is read from the database instead, while it
 * runs or after it has ended. The deltas of a tool's input do not count, because the finished input repeats them: a
 * position within them has their length after a dot.
 *
 * @module
 */

import type { Piece } from "./pieces.ts";
import { parseInput } from "./tools/input.ts";

/** A chunk of the stream; https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol describes them. */
export interface Chunk {
  type: string;
  [member: string]: unknown;
}

/** A chunk, and the position after it. */
export interface PlacedChunk {
  chunk: Chunk;
  position: string;
}

/** Where a client is. */
export interface Position {
  units: number;
  /** Length of the tool's input that the client has, if it is in the middle of one. */
  detail: number;
}

/** Before the first chunk. */
export const START: Position = { units: 0, detail: 0 };

/** Parses a position; undefined if it is none. */
export function parsePosition(text: string): Position | undefined {
  const [, units, detail] = text.match(/^(\d{1,12})(?:\.(\d{1,12}))?$/) ?? [];
  return units === undefined ? undefined : { units: Number(units), detail: Number(detail ?? 0) };
}

/** Turns the pieces of an answer into chunks. */
export class Chunker {
  readonly #emit: (placed: PlacedChunk) => void;
  readonly #after: Position;
  #units = 0;
  #open: Piece | undefined;
  #openShown = true;
  #openText = "";
  #inStep = false;

  /**
   * @param emit Receives each chunk.
   * @param options `after`: the position of the client, which gets only what follows.
   */
  constructor(
    emit: (placed: PlacedChunk) => void,
    { after = START }: { after?: Position } = {},
  ) {
    this.#emit = emit;
    this.#after = after;
  }

  /**
   * Begins the message.
   *
   * @param messageId The id by which the app knows it.
   * @param had What the client has of it already: the position of the first chunk is after that.
   */
  start(messageId: string | undefined, had: Piece[] = []): void {
    this.#units++;
    for (const piece of had) this.#add(piece, false);
    this.#close();
    if (this.#units <= this.#after.units) return;
    const chunk = { type: "start", ...messageId !== undefined && { messageId } };
    this.#emit({ chunk, position: String(this.#units) });
  }

  /** Takes the next piece. */
  add(piece: Piece): void {
    this.#add(piece, true);
  }

  /** Takes a piece, which is only counted if it is not shown. */
  #add(piece: Piece, shown: boolean): void {
    if (this.#open && !continues(this.#open, piece)) this.#close();
    else if (this.#open) this.#open = { ...this.#open, ...metadataOf(piece) };
    const aboutCall = toCallChunk(piece);
    if (aboutCall) {
      this.#one(aboutCall, shown);
      return;
    }
    const id = String(piece.part);
    const isNew = this.#open === undefined;
    if (isNew) {
      this.#open = piece;
      this.#openShown = shown;
    }
    switch (piece.type) {
      case "step-start":
        if (this.#inStep) this.#one({ type: "finish-step" }, shown);
        this.#inStep = true;
        this.#one({ type: "start-step" }, shown);
        break;
      case "text":
      case "reasoning":
        if (isNew) {
          this.#one({ type: `${piece.type}-start`, id, ...toMetadataMember(piece) }, shown);
        }
        this.#delta(
          piece.text ?? "",
          shown,
          (delta) => ({ type: `${piece.type}-delta`, id, delta }),
        );
        break;
      case "tool":
        if (isNew) {
          this.#one({ type: "tool-input-start", ...toCallMembers(piece) }, shown);
        }
        this.#input(piece.text ?? "", shown);
        break;
      case "data":
        this.#one({ ...piece.data, type: piece.data?.type ?? "data-unknown" }, shown);
        break;
    }
  }

  /**
   * Ends the message.
   *
   * @param chunks What follows the last part.
   */
  end(chunks: Chunk[]): void {
    this.#close();
    if (this.#inStep) this.#one({ type: "finish-step" }, true);
    for (const chunk of chunks) this.#one(chunk, true);
  }

  /** Emits a chunk that counts 1. */
  #one(chunk: Chunk, shown: boolean): boolean {
    this.#units++;
    const emitted = shown && this.#units > this.#after.units;
    if (emitted) this.#emit({ chunk, position: String(this.#units) });
    return emitted;
  }

  #delta(text: string, shown: boolean, toChunk: (delta: string) => Chunk): void {
    const had = Math.max(0, this.#after.units - this.#units);
    this.#units += text.length;
    const rest = text.slice(had);
    if (rest && shown) this.#emit({ chunk: toChunk(rest), position: String(this.#units) });
  }

  #input(text: string, shown: boolean): void {
    const before = this.#openText.length;
    this.#openText += text;
    if (!shown || this.#units < this.#after.units) return;
    const had = this.#units === this.#after.units ? Math.max(0, this.#after.detail - before) : 0;
    const inputTextDelta = text.slice(had);
    if (!inputTextDelta) return;
    this.#emit({
      chunk: { type: "tool-input-delta", toolCallId: this.#open?.tool_call_id, inputTextDelta },
      position: `${this.#units}.${this.#openText.length}`,
    });
  }

  #close(): void {
    const piece = this.#open;
    const text = this.#openText;
    this.#open = undefined;
    this.#openText = "";
    if (!piece) return;
    const shown = this.#openShown;
    if (piece.type === "text" || piece.type === "reasoning") {
      this.#one({ type: `${piece.type}-end`, id: String(piece.part) }, shown);
    } else if (piece.type === "tool") {
      this.#closeTool(piece, text, shown);
    }
  }

  #closeTool(piece: Piece, text: string, shown: boolean): void {
    const call = toCallMembers(piece);
    const input = parseInput(text);
    this.#one(
      input === undefined
        ? { type: "tool-input-error", ...call, input: text, errorText: INCOMPLETE }
        : { type: "tool-input-available", ...call, input, ...toMetadataMember(piece) },
      shown,
    );
  }
}

/** Whether a piece goes on with the part that is open. */
function continues(open: Piece, { part, type }: Piece): boolean {
  return open.part === part && open.type === type;
}

function metadataOf({ provider_metadata }: Piece): Pick<Piece, "provider_metadata"> {
  return provider_metadata ? { provider_metadata } : {};
}

function toMetadataMember({ provider_metadata: providerMetadata }: Piece) {
  return providerMetadata && { providerMetadata };
}

/** The AI SDK leaves calls that the provider executes to the provider: here, the server is the provider. */
function toCallMembers({ tool_call_id: toolCallId, tool_name: toolName, server }: Piece) {
  return { toolCallId, toolName, ...server && { providerExecuted: true } };
}

/** The chunk about a call of a tool that is there already; undefined for other pieces. */
function toCallChunk(
  { type, tool_call_id: toolCallId, output, approval }: Piece,
): Chunk | undefined {
  if (type === "approval") {
    return { type: "tool-approval-request", approvalId: approval?.id, toolCallId };
  }
  if (type === "approval-response") {
    const { id: approvalId, approved, reason } = approval ?? {};
    return {
      type: "tool-approval-response",
      approvalId,
      approved,
      ...reason !== undefined && { reason },
    };
  }
  if (type !== "output") return undefined;
  switch (output?.state) {
    case "output-available":
      return { type: "tool-output-available", toolCallId, output: output.output ?? null };
    case "output-denied":
      return { type: "tool-output-denied", toolCallId };
    default:
      return { type: "tool-output-error", toolCallId, errorText: output?.errorText ?? "" };
  }
}

const INCOMPLETE = "The answer ended before the call was complete";

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
  readonly #firstPart: number;
  #units = 0;
  #open: Piece | undefined;
  #openText = "";
  #inStep = false;

  /**
   * @param emit Receives each chunk.
   * @param options `after`: the position of the client, which gets only what follows. `firstPart`: parts before this one
   *   are counted, but not emitted, because the client has them.
   */
  constructor(
    emit: (placed: PlacedChunk) => void,
    { after = START, firstPart = 0 }: { after?: Position; firstPart?: number } = {},
  ) {
    this.#emit = emit;
    this.#after = after;
    this.#firstPart = firstPart;
  }

  /** Begins the message. */
  start(messageId: string | undefined): void {
    this.#one({ type: "start", ...messageId !== undefined && { messageId } }, true);
  }

  /** Takes the next piece. */
  add(piece: Piece): void {
    if (this.#open && this.#open.part !== piece.part) this.#close();
    const shown = piece.part >= this.#firstPart;
    const id = String(piece.part);
    const isNew = this.#open === undefined;
    if (isNew) this.#open = piece;
    switch (piece.type) {
      case "step-start":
        if (this.#inStep) this.#one({ type: "finish-step" }, shown);
        this.#inStep = true;
        this.#one({ type: "start-step" }, shown);
        break;
      case "text":
      case "reasoning":
        if (isNew) this.#one({ type: `${piece.type}-start`, id }, shown);
        this.#delta(
          piece.text ?? "",
          shown,
          (delta) => ({ type: `${piece.type}-delta`, id, delta }),
        );
        break;
      case "tool":
        if (isNew) {
          const { tool_call_id: toolCallId, tool_name: toolName } = piece;
          this.#one({ type: "tool-input-start", toolCallId, toolName }, shown);
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
    const shown = piece.part >= this.#firstPart;
    if (piece.type === "text" || piece.type === "reasoning") {
      this.#one({ type: `${piece.type}-end`, id: String(piece.part) }, shown);
    } else if (piece.type === "tool") {
      this.#closeTool(piece, text, shown);
    }
  }

  #closeTool(
    { tool_call_id: toolCallId, tool_name: toolName, output }: Piece,
    text: string,
    shown: boolean,
  ) {
    const input = parseInput(text);
    const emitted = this.#one(
      input === undefined
        ? { type: "tool-input-error", toolCallId, toolName, input: text, errorText: INCOMPLETE }
        : { type: "tool-input-available", toolCallId, toolName, input },
      shown,
    );
    if (!output || !emitted) return;
    const chunk = output.state === "output-available"
      ? { type: "tool-output-available", toolCallId, output: output.output ?? null }
      : output.state === "output-denied"
      ? { type: "tool-output-denied", toolCallId }
      : { type: "tool-output-error", toolCallId, errorText: output.errorText ?? "" };
    this.#emit({ chunk, position: String(this.#units) });
  }
}

const INCOMPLETE = "The answer ended before the call was complete";

function parseInput(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

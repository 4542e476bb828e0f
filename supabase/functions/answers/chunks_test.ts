import assert from "node:assert/strict";

import fc from "fast-check";

import { Chunker, parsePosition, type PlacedChunk, type Position } from "./chunks.ts";
import { addPiece, type Part, type Piece, toPieces } from "./pieces.ts";
import type { ProviderMetadata } from "./provider_metadata.ts";

const SEED = Number(Deno.env.get("SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
console.log(`SEED=${SEED}`);

const TAIL = [{ type: "message-metadata", messageMetadata: {} }, {
  type: "finish",
  finishReason: "stop",
}];

const text = fc.string({ unit: "binary", minLength: 1, maxLength: 12 });

const metadata = fc.option(fc.constant({ gemini: { extra_content: { a: 1 } } }), {
  nil: undefined,
});

/** A message: its pieces as they come from a model. */
const written = fc.array(
  fc.oneof(
    fc.constant({ type: "step-start" as const }),
    fc.record({
      type: fc.constantFrom("text" as const, "reasoning" as const),
      texts: fc.array(text, { minLength: 1, maxLength: 5 }),
      metadata,
    }),
    fc.record({
      type: fc.constant("tool" as const),
      input: fc.jsonValue({ maxDepth: 1 }),
      cut: fc.nat(6),
      metadata,
      /** With which piece it comes. */
      late: fc.nat(2),
      end: fc.constantFrom("client", "returned", "asked", "approved", "denied"),
    }),
  ),
  { maxLength: 6 },
).map((parts) => {
  const pieces: Piece[] = [];
  let calls: { end: string; about: Pick<Piece, "part" | "tool_call_id"> }[] = [];
  // What the server writes about the calls of a step when the model has ended it, and when the user has answered.
  const endStep = () => {
    const of = (...ends: string[]) => calls.filter(({ end }) => ends.includes(end));
    const asked = of("asked", "approved", "denied");
    for (const { about } of of("returned")) {
      pieces.push({ ...about, type: "output", output: RETURNED });
    }
    for (const { about } of asked) {
      pieces.push({ ...about, type: "approval", approval: idOf(about) });
    }
    for (const { about, end } of of("approved", "denied")) {
      const approval = { ...idOf(about), approved: end === "approved" };
      pieces.push({ ...about, type: "approval-response", approval });
    }
    for (const { about, end } of of("approved", "denied")) {
      const output = end === "approved" ? RETURNED : DENIED;
      pieces.push({ ...about, type: "output", output });
    }
    calls = [];
  };
  parts.forEach((part, index) => {
    if (part.type === "step-start") endStep();
    if (part.type === "tool") {
      calls.push({ end: part.end, about: { part: index, tool_call_id: `c${index}` } });
    }
    pieces.push(...toWritten(part, index));
  });
  endStep();
  return pieces;
});

const RETURNED = { state: "output-available", output: "blue" } as const;
const DENIED = { state: "output-denied" } as const;
const idOf = ({ part }: Pick<Piece, "part">) => ({ id: `a/${part}` });

type WrittenPart =
  | { type: "step-start" }
  | { type: "text" | "reasoning"; texts: string[]; metadata?: ProviderMetadata | undefined }
  | {
    type: "tool";
    input: unknown;
    cut: number;
    metadata?: ProviderMetadata | undefined;
    late: number;
  };

function toWritten(part: WrittenPart, index: number): Piece[] {
  if (part.type === "step-start") return [{ part: index, type: "step-start" }];
  if (part.type !== "tool") {
    return part.texts.map((text, n) => ({
      part: index,
      type: part.type,
      text,
      ...n === 0 && part.type === "reasoning" && part.metadata &&
        { provider_metadata: part.metadata },
    }));
  }
  const call = { part: index, type: "tool" as const, tool_call_id: `c${index}`, tool_name: "t" };
  const input = JSON.stringify(part.input);
  return ["", input.slice(0, part.cut), input.slice(part.cut)].map((text, n) => ({
    ...call,
    text,
    ...n === part.late && part.metadata && { provider_metadata: part.metadata },
  }));
}

function chunksOf(pieces: Piece[], after?: Position): PlacedChunk[] {
  const placed: PlacedChunk[] = [];
  const chunker = new Chunker((chunk) => placed.push(chunk), after ? { after } : {});
  chunker.start("m");
  for (const piece of pieces) chunker.add(piece);
  chunker.end(TAIL);
  return placed;
}

/** What a client makes of chunks: it joins the deltas, and forgets those of an input when it has all of it. */
function joined(chunks: PlacedChunk[]): unknown[] {
  const list: Record<string, unknown>[] = [];
  for (const { chunk } of chunks) {
    if (chunk.type === "tool-input-delta") continue;
    const last = list.at(-1);
    if (last && last.type === chunk.type && "delta" in chunk) {
      last.delta = `${last.delta}${chunk.delta}`;
    } else list.push({ ...chunk });
  }
  return list;
}

function toMessage(pieces: Piece[]): Part[] {
  const parts: Part[] = [];
  for (const piece of pieces) {
    const { part, type, text = "", tool_call_id = "", output, approval } = piece;
    const { provider_metadata: metadata } = piece;
    const known = parts[part];
    if (output || approval) {
      parts[part] = { ...known!, ...output, ...approval && { approval } };
      continue;
    }
    if (type === "tool") {
      parts[part] = {
        type: "tool-t",
        toolCallId: tool_call_id,
        state: "input-available",
        raw: `${known?.raw ?? ""}${text}`,
        callProviderMetadata: metadata ?? known?.callProviderMetadata,
      };
    } else if (type === "step-start") parts[part] = { type };
    else {
      const providerMetadata = metadata ?? known?.providerMetadata;
      parts[part] = {
        type,
        text: `${known?.text ?? ""}${text}`,
        state: "done",
        ...providerMetadata !== undefined && { providerMetadata },
      };
    }
  }
  return parts.map(({ raw, ...part }) =>
    raw === undefined ? part as Part : { ...part, input: JSON.parse(String(raw)) } as Part
  );
}

Deno.test("a client goes on from any position, however the pieces were joined, as if it had never been away", () => {
  fc.assert(
    fc.property(written, fc.nat(), fc.infiniteStream(fc.boolean()), (pieces, pick, joins) => {
      const live = chunksOf(pieces);
      const at = pick % live.length;
      const had = live.slice(0, at + 1);
      const after = parsePosition(had.at(-1)!.position)!;
      const stored: Piece[] = [];
      for (const piece of pieces) {
        if (joins.next().value) addPiece(stored, piece);
        else stored.push(piece);
      }
      for (const source of [stored, toPieces(toMessage(pieces))]) {
        const rest = chunksOf(source, after);
        assert.deepEqual(joined([...had, ...rest]), joined(live));
        assert.equal(rest.at(-1)?.position ?? had.at(-1)!.position, live.at(-1)!.position);
      }
    }),
    { seed: SEED, numRuns: 2000 },
  );
});

Deno.test("the deltas of a tool's input go on where the client was", () => {
  const call = { part: 0, type: "tool" as const, tool_call_id: "c", tool_name: "t" };
  const pieces = [{ ...call, text: '{"a"' }, { ...call, text: ": 12" }, { ...call, text: "}" }];
  const live = chunksOf(pieces);
  const second = live.findLastIndex(({ chunk }) => chunk.inputTextDelta === ": 12");
  const rest = chunksOf([{ ...call, text: '{"a": 12}' }], parsePosition(live[second]!.position)!);
  assert.deepEqual(rest[0]?.chunk, {
    type: "tool-input-delta",
    toolCallId: "c",
    inputTextDelta: "}",
  });
  assert.deepEqual(rest[1]?.chunk.input, { a: 12 });
});

Deno.test("positions that are none are not taken for one", () => {
  for (const text of ["", "x", "-1", "1.", "1.2.3", "99999999999999"]) {
    assert.equal(parsePosition(text), undefined);
  }
});

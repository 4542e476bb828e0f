/**
 * Turns what a provider sends into the pieces of an answer.
 *
 * @module
 */

import { Buffer } from "node:buffer";

import type { Part, Piece } from "./pieces.ts";
import type { Reasoning } from "./prompt.ts";
import type { ProviderEvent } from "./provider_events.ts";
import { addDetail, type Detail, type ProviderMetadata } from "./provider_metadata.ts";

/** Text of an answer, or of the input of a call. */
export type SaidEvent = Extract<ProviderEvent, { text: string }>;

/** A call of a tool that is being written. */
interface Call {
  id: string;
  /** The provider's id, if it has said one. */
  givenId: string | undefined;
  name: string;
  /** What came before its part could be written: the input of one call is written at a time. */
  text: string;
  part: number | undefined;
  metadata: ProviderMetadata | undefined;
}

/** A call that a step has made. */
export interface WrittenCall {
  id: string;
  name: string;
  /** The input as JSON, as the model wrote it. */
  text: string;
  part: number;
  metadata: ProviderMetadata | undefined;
}

/** The most sources of a step, and of characters of their URLs and titles. */
const MOST_SOURCES = 100;
const MOST_URL = 2_000;
const MOST_TITLE = 500;

/** What a call takes up besides its id, name and input. */
const CALL_BYTES = 150;

/** The most characters of the id of a call. */
const MOST_ID = 200;

/** The name of a tool: it becomes a part of the type of a part of a message. */
const TOOL_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** Writes the pieces of one step of an answer. */
export class PieceWriter {
  readonly #write: (piece: Piece) => void;
  #part: number;
  #type: "text" | "reasoning" | "tool" | undefined;
  #held = "";
  /** A piece with what its part has besides text, until text is written. */
  #unwritten: Piece | undefined;
  #reasoning: Reasoning | undefined;
  #details: { provider: string; list: Detail[] } | undefined;
  readonly #calls = new Set<Call>();
  /** The calls by the index that the provider gives them. */
  readonly #byIndex = new Map<number, Call>();
  readonly #sources = new Map<string, string>();
  readonly #isServers: (name: string) => boolean;
  readonly #ids: Set<string>;
  #current: Call | undefined;
  #waiting = 0;

  /**
   * @param write Receives each piece.
   * @param firstPart Number of the first part of the step.
   * @param isServers Whether the server runs a tool.
   * @param ids The ids of the calls that the message has. Those of the step are added.
   */
  constructor(
    write: (piece: Piece) => void,
    firstPart: number,
    isServers: (name: string) => boolean = () => false,
    ids: Set<string> = new Set(),
  ) {
    this.#write = write;
    this.#isServers = isServers;
    this.#ids = ids;
    this.#part = firstPart;
    write({ part: firstPart, type: "step-start" });
  }

  /** About how many bytes wait until other calls are written. */
  get waiting(): number {
    return this.#waiting;
  }

  /** The calls whose parts are written. */
  get calls(): WrittenCall[] {
    return [...this.#calls].flatMap(({ id, name, part, text, metadata }) =>
      part === undefined ? [] : [{ id, name, part, text: cleanInput(text), metadata }]
    ).sort((a, b) => a.part - b.part);
  }

  /** What the model has thought, if its provider may want it back. */
  get reasoning(): Reasoning | undefined {
    return this.#reasoning;
  }

  /** Number of the part that follows the step. */
  get nextPart(): number {
    return this.#part + 1;
  }

  /** Takes a source that the model names. The sources are written at the end, because they come in the middle of a text. */
  addSource(url: string, title: string): void {
    if (this.#sources.size >= MOST_SOURCES || url.length > MOST_URL) return;
    this.#sources.set(clean(url), clean(title.slice(0, MOST_TITLE)));
  }

  /** Takes details of the reasoning, which are written with the last call. Without calls, no provider wants them back. */
  addDetails(provider: string, details: Detail[]): void {
    this.#details ??= { provider, list: [] };
    for (const detail of details) addDetail(this.#details.list, detail);
    this.#waiting += sizeOf(details);
  }

  /** Writes a whole part after the last one. */
  addPart(data: Part): void {
    this.#next();
    this.#type = undefined;
    this.#current = undefined;
    this.#write({ part: this.#part, type: "data", data });
  }

  /** Takes what the provider sent. */
  add(event: SaidEvent): void {
    if (event.type === "tool") return this.#addCall(event);
    if (this.#type !== event.type) {
      this.#next();
      // What a call still gets after a text would come too late for its part.
      this.#current = undefined;
      this.#type = event.type;
      this.#note({ part: this.#part, type: event.type }, event.metadata);
    }
    if (event.type === "reasoning" && event.metadata) {
      this.#reasoning ??= { text: "", metadata: event.metadata };
      this.#reasoning.text += clean(event.text);
    }
    this.#text({ part: this.#part, type: event.type }, event.text);
  }

  /**
   * Ends the step.
   *
   * @param complete Whether the provider has said all. The input of a tool call is incomplete otherwise.
   */
  end(complete: boolean): void {
    this.#flush();
    this.#placeDetails();
    for (const call of this.#calls) {
      if (complete && call.text === "") call.text = "{}";
      else if (call.part !== undefined) continue;
      if (call.part === undefined) this.#openCall(call);
      else if (call === this.#current) this.#write({ ...this.#piece(call), text: call.text });
    }
    for (const [url, title] of this.#sources) {
      const sourceId = String(this.#part + 1);
      this.addPart({
        type: "source-url",
        sourceId,
        url,
        ...title && { title },
      });
    }
    this.#sources.clear();
  }

  #placeDetails(): void {
    const call = [...this.#calls].at(-1);
    if (!this.#details || !call) return;
    const { provider, list } = this.#details;
    call.metadata = { [provider]: { ...call.metadata?.[provider], reasoning_details: list } };
    // The other calls are written later.
    if (call !== this.#current) return;
    this.#write({ ...this.#piece(call), text: "", provider_metadata: call.metadata });
  }

  #addCall(
    { index, id, name, text, metadata }: Extract<ProviderEvent, { type: "tool" }>,
  ): void {
    let call = this.#byIndex.get(index);
    // Some providers give all calls the same index, and each its own id.
    if (!call || id !== undefined && call.givenId !== undefined && id !== call.givenId) {
      // A model may call a tool that it was not given: its name is the model's word.
      const known = name !== undefined && TOOL_NAME.test(name) ? name : "unknown";
      call = {
        id: this.#toId(id),
        givenId: id,
        name: known,
        text: "",
        part: undefined,
        metadata,
      };
      this.#byIndex.set(index, call);
      this.#calls.add(call);
      if (this.#type !== "tool") this.#openCall(call);
      else this.#waiting += CALL_BYTES + call.id.length + known.length + sizeOf(metadata);
    } else if (metadata && !call.metadata) {
      call.metadata = metadata;
      if (call === this.#current) this.#note(this.#piece(call), metadata);
    }
    if (call === this.#current) this.#text(this.#piece(call), text);
    else this.#waiting += sizeOf(text);
    call.text += text;
  }

  /**
   * The id of a new call. Some providers give the same one again in each step, or count from 0: clients would take two calls
   * for one.
   */
  #toId(given = ""): string {
    const known = clean(given);
    const isNew = known !== "" && known.length <= MOST_ID && !this.#ids.has(known);
    const id = isNew ? known : crypto.randomUUID();
    this.#ids.add(id);
    return id;
  }

  /** Begins the part of a call, with the input that has come so far. */
  #openCall(call: Call): void {
    this.#next();
    this.#type = "tool";
    this.#current = call;
    call.part = this.#part;
    this.#write({
      ...this.#piece(call),
      text: cleanInput(call.text),
      ...call.metadata && { provider_metadata: call.metadata },
    });
  }

  #piece({ id, name, part = 0 }: Call): Piece {
    return {
      part,
      type: "tool",
      tool_call_id: id,
      tool_name: name,
      ...this.#isServers(name) && { server: true },
    };
  }

  #next(): void {
    this.#flush();
    this.#part++;
  }

  /**
   * Half a surrogate pair at the end waits for its other half, because the database cannot hold it. So does half an escape
   * of the JSON of an input.
   */
  #text(piece: Piece, text: string): void {
    const whole = this.#held + text;
    const isInput = piece.type === "tool";
    const half = whole.match(isInput ? /(?:[\ud800-\udbff]|\\+(?:u0{0,3})?)$/ : /[\ud800-\udbff]$/);
    const cut = half?.index ?? whole.length;
    this.#held = whole.slice(cut);
    const said = whole.slice(0, cut);
    if (cut === 0) return;
    this.#write({ ...piece, ...this.#unwritten, text: isInput ? cleanInput(said) : clean(said) });
    this.#unwritten = undefined;
  }

  /** Writes metadata with the next text of the part, or without any at its end. */
  #note(piece: Piece, metadata: ProviderMetadata | undefined): void {
    if (metadata) this.#unwritten = { ...piece, provider_metadata: metadata };
  }

  #flush(): void {
    this.#held = "";
    if (this.#unwritten) this.#write({ ...this.#unwritten, text: "" });
    this.#unwritten = undefined;
  }
}

function sizeOf(value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));
}

/** Replaces what the database cannot hold. */
function clean(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

/** Replaces it in the JSON of an input, too. After a backslash that is escaped, it is a text about escapes. */
function cleanInput(json: string): string {
  return clean(json).replace(/(?<!\\)((?:\\\\)*)\\u0000/g, "$1\\ufffd");
}

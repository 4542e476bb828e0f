/**
 * Runs an answer: asks the model, streams what it says, runs the server's tools that it calls, stores all of it, and settles
 * it at the end. A client that goes away does not end it.
 *
 * @module
 */

import { Buffer } from "node:buffer";

import { logLine } from "../_shared/log.ts";
import { type Begun, type Ended, nameOf } from "./begun.ts";
import { Chunker } from "./chunks.ts";
import { lastChunks } from "./endings.ts";
import { type FileReader, type GivenFiles, readHistoryFiles } from "./given_files.ts";
import { keepImages } from "./kept_images.ts";
import { Meter } from "./meter.ts";
import { addPiece, type Piece, type ToolOutput, toPieces } from "./pieces.ts";
import { type ChatMessage, toChatMessages } from "./prompt.ts";
import { register } from "./running.ts";
import { type Ending, nextOutputTokens, settle } from "./settling.ts";
import { DONE, encodeEvent } from "./sse.ts";
import { askStep, parametersOf } from "./step.ts";
import { PieceStore } from "./store.ts";
import { countExtra, countPrompt, PER_FILE } from "./tokens.ts";
import { SERVER_TOOLS } from "./tools/registry.ts";
import { failed } from "./tools/run_tool.ts";
import { type CallOptions, runApproved, runCalls, toAssistantMessage } from "./tools/steps.ts";
import { PieceWriter, type SaidEvent } from "./writer.ts";

/** How much of the stream waits for a client that reads slowly, in bytes. */
const SINK_BYTES = 64 * 1024;

/** What a part takes up besides its text. */
const PART_BYTES = 150;

type Why = "stopped" | "gone" | "time";

/** What an answer is to be. */
export interface RunOptions {
  begun: Begun;
  /** The user who asked. */
  userId: string;
  /** Acts with the rights of the user, who has a session. */
  supabase: FileReader;
  /** Members of the provider's request. */
  parameters: Record<string, unknown>;
  /** The tools that the client runs. If undefined, the client runs all. */
  clientTools?: Set<string> | undefined;
  /** Names of the tools of the server that the model is offered. */
  serverTools?: string[] | undefined;
  /** The files of the new message. */
  files: GivenFiles;
  /** The messages of an ephemeral answer, which the database does not have. */
  messages?: ChatMessage[];
}

/** An answer that is being written. */
export class Run {
  /** Resolves when the answer has ended; undefined if it could not be settled, or is no longer there. */
  readonly done: Promise<Ended | undefined>;
  readonly #options: RunOptions;
  readonly #abort = new AbortController();
  readonly #chunker: Chunker;
  readonly #store: PieceStore;
  readonly #meter: Meter;
  #why: Why | undefined;
  #sink: ReadableStreamDefaultController<Uint8Array> | undefined;
  #attempts = 0;
  #bytes = 0;
  /** Whether something had no room. */
  #isCut = false;
  #lastPart = -1;
  #said = "";
  /** What a client that reads slowly has not been sent: joined, it takes no more room than the text. */
  #late: Piece[] = [];

  constructor(options: RunOptions) {
    const { begun } = this.#options = options;
    const { answer } = begun;
    this.#meter = new Meter(begun.limits.context_tokens);
    this.#chunker = new Chunker((placed) => this.#sink?.enqueue(encodeEvent(answer.id, placed)));
    this.#store = new PieceStore({
      answerId: answer.id,
      ephemeral: answer.ephemeral,
      count: () => this.#meter.count(),
      onEnd: (why) => this.end(why),
    });
    this.done = this.#run();
    register(answer.id, this);
  }

  /** The text of an ephemeral answer, which nothing else keeps. */
  get text(): string {
    return this.#said;
  }

  /** Ends the answer. */
  end(why: Why): void {
    this.#why ??= why;
    this.#abort.abort();
  }

  /**
   * The stream for the client that has asked. Must be called before anything else happens. An ephemeral answer ends with
   * it, because nobody else can read it.
   */
  stream(): ReadableStream<Uint8Array> {
    const { answer } = this.#options.begun;
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#sink = controller;
      },
      pull: () => this.#catchUp(),
      cancel: () => {
        this.#sink = undefined;
        if (answer.ephemeral) this.end("stopped");
      },
    }, new ByteLengthQueuingStrategy({ highWaterMark: SINK_BYTES }));
  }

  async #run(): Promise<Ended | undefined> {
    // A moment later, so that the stream is there.
    await Promise.resolve();
    const { answer, message, limits } = this.#options.begun;
    const timer = setTimeout(() => this.end("time"), limits.total_time * 1000);
    let ended: Ended | undefined;
    try {
      // The client has the parts of earlier steps.
      this.#chunker.start(nameOf(message), toPieces(message?.content));
      const ending = await this.#answer();
      clearTimeout(timer);
      const rest = await this.#store.close();
      const { usage } = this.#meter;
      ended = await settle(answer, ending, { ...rest, usage, attempts: this.#attempts });
    } catch (error) {
      logLine("error", {
        message: "An answer could not be settled",
        answer_id: answer.id,
        error: String(error),
      });
    } finally {
      clearTimeout(timer);
      this.#finish(ended);
    }
    return ended;
  }

  /** Writes the steps of the answer, and returns how it ended. */
  async #answer(): Promise<Ending> {
    const { begun, clientTools, parameters, userId, supabase } = this.#options;
    const { answer, limits } = begun;
    const { steps = 1 } = limits;
    const isServers = (name: string) => clientTools !== undefined && !clientTools.has(name);
    const calling: CallOptions | undefined = supabase
      ? {
        context: {
          supabase,
          userId,
          answerId: answer.id,
          conversationId: answer.conversation_id,
          projectId: answer.project_id,
        },
        signal: this.#abort.signal,
        isServers,
        offered: SERVER_TOOLS.filter(({ name }) => this.#options.serverTools?.includes(name)),
        write: (piece) => this.#write(piece),
        fit: (output) => this.#fit(output),
      }
      : undefined;
    const extra = countExtra(parameters);
    let messages = await this.#prepare(calling);
    let part = answer.first_part;
    let most = limits.output_tokens;
    const ids = new Set(toPieces(begun.message?.content).map((piece) => piece.tool_call_id ?? ""));
    for (let step = 1;; step++) {
      const writer = new PieceWriter((piece) => this.#write(piece), part, isServers, ids);
      const prompt = messages;
      this.#meter.begin(() => countPrompt(prompt, begun.endpoints[0]?.provider) + extra);
      const told = await askStep(writer, {
        begun,
        messages,
        most,
        parameters: parametersOf(parameters, step, steps),
        signal: this.#abort.signal,
        onAttempt: () => this.#attempts++,
        take: (event) => this.#take(event, writer),
        report: (usage) => this.#meter.report(usage),
        isFull: () => this.#isCut || this.#bytes + writer.waiting > limits.bytes,
        stopped: () => this.#stopped(),
      });
      writer.end(told.state === "complete");
      const images = this.#why === "gone" ? [] : told.images;
      for (const made of await keepImages(userId, answer.ephemeral, images)) {
        this.#meter.addTokens(PER_FILE);
        writer.addPart(made);
      }
      this.#meter.end(told.isWhole);
      part = writer.nextPart;
      const { calls } = writer;
      const isOver = told.state !== "complete" || this.#isCut || this.#bytes > limits.bytes;
      if (isOver || !calling || !calls.some(({ name }) => isServers(name))) return told;
      const results = await runCalls(calls, calling);
      if (this.#abort.signal.aborted) return this.#stopped();
      if (results.isWaiting) return told;
      const said = toAssistantMessage(told.text, calls, writer.reasoning);
      messages = [...messages, said, ...results.messages];
      most = nextOutputTokens(begun, this.#meter.usage, messages, extra);
      if (step === steps || most < 1) return { state: "complete", reason: "length" };
    }
  }

  /** Runs what the user has approved, reads the files, and writes what the model is told. */
  async #prepare(calling: CallOptions | undefined): Promise<ChatMessage[]> {
    const { begun, files, messages, supabase } = this.#options;
    if (messages) return messages;
    const { limits, answer, message, system } = begun;
    let history = begun.history ?? [];
    if (calling && answer.first_part > 0) {
      const content = await runApproved(message?.content, calling);
      history = history.map((each) => each.id === message?.id ? { ...each, content } : each);
    }
    const { context_tokens, output_tokens, file_tokens = 0 } = limits;
    const room = context_tokens - output_tokens - answer.input_tokens + file_tokens;
    const given = await readHistoryFiles(supabase, history, {
      given: files,
      capabilities: begun.endpoints[0]?.capabilities ?? [],
      textBytes: room * 3,
    });
    return toChatMessages(system, history, given);
  }

  #stopped(): Ending {
    return { state: "stopped", ...this.#why === "time" && { error: "time_limit" } };
  }

  /** Writes text, and returns it if the model says it to the user. */
  #take(said: SaidEvent, writer: PieceWriter): string {
    // A provider may send all at once: what no message can hold is cut off.
    const text = cut(said.text, this.#options.begun.limits.bytes - this.#bytes - writer.waiting);
    this.#isCut ||= text.length < said.text.length;
    const event = { ...said, text };
    writer.add(event);
    this.#meter.add(event.text, event.type === "reasoning");
    if (event.type !== "text") return "";
    if (this.#options.begun.answer.ephemeral) this.#said += event.text;
    return event.text;
  }

  #write(piece: Piece): void {
    this.#bytes += sizeOf(piece.text ?? "") - 2;
    if (piece.data) this.#bytes += sizeOf(piece.data);
    if (piece.provider_metadata) this.#bytes += sizeOf(piece.provider_metadata);
    if (piece.output) this.#bytes += sizeOf(piece.output);
    if (piece.part !== this.#lastPart) this.#bytes += PART_BYTES;
    this.#lastPart = piece.part;
    this.#store.add(piece);
    const isSlow = this.#late.length > 0 || (this.#sink?.desiredSize ?? 1) <= 0;
    if (isSlow) addPiece(this.#late, piece);
    else this.#chunker.add(piece);
  }

  /** Sends what a client that reads slowly has not been sent. */
  #catchUp(): void {
    const late = this.#late;
    this.#late = [];
    for (const piece of late) this.#chunker.add(piece);
  }

  #fit(output: ToolOutput): ToolOutput {
    const isTooLong = this.#bytes + sizeOf(output) > this.#options.begun.limits.bytes;
    return isTooLong ? failed("The message has no room for what the tool returned") : output;
  }

  #finish(ended: Ended | undefined): void {
    const { answer } = this.#options.begun;
    const last = ended?.answer ?? { ...answer, state: "failed", error: "server_error" } as const;
    this.#catchUp();
    this.#chunker.end(lastChunks(last));
    this.#sink?.enqueue(DONE);
    this.#sink?.close();
    this.#sink = undefined;
  }
}

/** The beginning of a text that has at most so many bytes as JSON. */
function cut(text: string, bytes: number): string {
  // A character has at most six.
  if (text.length * 6 <= bytes) return text;
  let rest = text;
  for (let size = sizeOf(rest) - 2; size > bytes; size = sizeOf(rest) - 2) {
    rest = rest.slice(0, Math.floor(rest.length * Math.max(0, bytes) / size));
  }
  return rest;
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

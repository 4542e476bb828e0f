/**
 * Runs an answer: asks the model, streams what it says, stores it, and settles it at the end. A client that goes away does
 * not end it.
 *
 * @module
 */

import { Buffer } from "node:buffer";

import { adminClient } from "../_shared/clients.ts";
import type { Json } from "../_shared/database.types.ts";
import { logLine } from "../_shared/log.ts";
import { defined, unwrap } from "../_shared/rpc.ts";
import { askPatiently, wait } from "./asking.ts";
import { type Begun, type Ended, nameOf } from "./begun.ts";
import { Chunker } from "./chunks.ts";
import { lastChunks, toFinishReason } from "./endings.ts";
import { addPiece, type Piece, toPieces } from "./pieces.ts";
import { type ChatMessage, toChatMessages } from "./prompt.ts";
import { ProviderError } from "./provider_error.ts";
import type { ProviderEvent, Usage } from "./provider_events.ts";
import { register } from "./running.ts";
import { DONE, encodeEvent } from "./sse.ts";
import { PieceStore } from "./store.ts";
import { countExtra, countPrompt, countTokens } from "./tokens.ts";
import { UsageReports } from "./usage.ts";
import { PieceWriter } from "./writer.ts";

/** Attempts to store the end of an answer, with a pause that grows to {@link LONGEST_PAUSE_MS}. */
const ENDING_ATTEMPTS = 12;

/** The longest pause between two attempts, in milliseconds. */
const LONGEST_PAUSE_MS = 2_000;

/** How much of the stream waits for a client that reads slowly, in bytes. */
const SINK_BYTES = 64 * 1024;

/** What a part takes up besides its text. */
const PART_BYTES = 150;

type Why = "stopped" | "gone" | "time";

/** What an answer is to be. */
export interface RunOptions {
  begun: Begun;
  /** Members of the provider's request. */
  parameters: Record<string, unknown>;
  /** The messages of an ephemeral answer, which the database does not have. */
  messages?: ChatMessage[];
}

/** An answer that is being written. */
export class Run {
  /** Resolves when the answer has ended; undefined if it could not be settled, or is no longer there. */
  readonly done: Promise<Ended | undefined>;
  readonly #options: RunOptions;
  readonly #abort = new AbortController();
  readonly #messages: ChatMessage[];
  readonly #chunker: Chunker;
  readonly #store: PieceStore;
  #why: Why | undefined;
  #sink: ReadableStreamDefaultController<Uint8Array> | undefined;
  #attempts = 0;
  #bytes = 0;
  #lastPart = -1;
  #uncounted = "";
  #said = "";
  #counted = { input: 0, output: 0, reasoning: 0 };
  readonly #reports = new UsageReports();
  /** What a client that reads slowly has not been sent: joined, it takes no more room than the text. */
  #late: Piece[] = [];

  constructor(options: RunOptions) {
    const { begun } = this.#options = options;
    const { answer } = begun;
    this.#messages = options.messages ?? toChatMessages(begun.system, begun.history ?? []);
    this.#chunker = new Chunker((placed) => this.#sink?.enqueue(encodeEvent(answer.id, placed)), {
      firstPart: answer.first_part,
    });
    this.#store = new PieceStore({
      answerId: answer.id,
      ephemeral: answer.ephemeral,
      count: () => this.#count(),
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
      this.#chunker.start(nameOf(message));
      // The parts of earlier steps count, but the client has them.
      for (const piece of toPieces(message?.content)) this.#chunker.add(piece);
      const writer = new PieceWriter((piece) => this.#write(piece), answer.first_part);
      const told = await this.#ask(writer);
      clearTimeout(timer);
      writer.end(told.state === "complete");
      ended = await this.#settle(told);
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

  /** Writes what the model says, and returns how that ended. */
  async #ask(writer: PieceWriter): Promise<Told> {
    const { begun: { endpoints, limits }, parameters } = this.#options;
    let reason: string | undefined;
    try {
      const events = askPatiently(
        endpoints,
        { messages: this.#messages, output_tokens: limits.output_tokens, parameters },
        {
          signal: this.#abort.signal,
          idleMs: limits.idle_time * 1000,
          onAttempt: () => this.#attempts++,
        },
      );
      for await (const event of events) {
        if (event.type === "finish") reason = event.reason;
        else if (event.type === "usage") this.#reports.add(event.usage);
        else this.#take(event, writer);
        if (this.#bytes > limits.bytes) return { state: "complete", reason: "length" };
      }
      if (this.#abort.signal.aborted) return this.#ended(reason);
      return { state: "complete", reason, isWhole: true };
    } catch (error) {
      const isWhole = reason !== undefined;
      if (this.#abort.signal.aborted) return this.#ended(reason);
      const known = error instanceof ProviderError ? error : undefined;
      const code = known?.code ?? "server_error";
      logLine("error", {
        message: known?.message ?? "An answer failed",
        // Where, but not the message: it may have something of what was said.
        ...!known && error instanceof Error && { at: error.stack?.slice(`${error}`.length) },
        code,
        answer_id: this.#options.begun.answer.id,
      });
      return { state: "failed", error: code, isWhole };
    }
  }

  #ended(reason: string | undefined): Told {
    return {
      state: "stopped",
      isWhole: reason !== undefined,
      ...this.#why === "time" && { error: "time_limit" },
    };
  }

  #take(said: Extract<ProviderEvent, { text: string }>, writer: PieceWriter): void {
    // A provider may send all at once: what no message can hold is cut off.
    const room = this.#options.begun.limits.bytes - this.#bytes + 1;
    const event = { ...said, text: said.text.slice(0, room) };
    writer.add(event);
    this.#reports.outdate();
    this.#uncounted += event.text;
    if (event.type === "text" && this.#options.begun.answer.ephemeral) this.#said += event.text;
    if (event.type === "reasoning") this.#counted.reasoning += countTokens(event.text);
  }

  #write(piece: Piece): void {
    this.#bytes += Buffer.byteLength(JSON.stringify(piece.text ?? "")) - 2;
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

  #count(): { input: number; output: number } {
    this.#counted.input ||= countPrompt(this.#messages) + countExtra(this.#options.parameters);
    this.#counted.output += countTokens(this.#uncounted);
    this.#uncounted = "";
    return this.#counted;
  }

  /** Makes the answer final, and tries again while the database cannot be reached. */
  async #settle({ state, reason, isWhole, error }: Told): Promise<Ended | undefined> {
    const { answer, limits } = this.#options.begun;
    const { pieces, number } = await this.#store.close();
    const { input, output } = this.#count();
    const used: Usage = this.#reports.believed(output, limits.context_tokens, isWhole) ?? {
      input_tokens: input,
      cached_input_tokens: 0,
      output_tokens: output,
      reasoning_tokens: Math.min(this.#counted.reasoning, output),
      source: "counted",
    };
    const args = defined({
      answer_id: answer.id,
      state,
      usage: { ...used } as Record<string, Json>,
      pieces: pieces as unknown as Json,
      number,
      finish_reason: state === "complete" ? toFinishReason(reason) : undefined,
      error,
      attempts: this.#attempts,
    });
    for (let attempt = 1;; attempt++) {
      try {
        const finished = await adminClient().rpc("finish_answer", args);
        // It has been deleted, with its account.
        if (!finished.error && !(finished.data as unknown as Ended | null)?.answer) {
          return undefined;
        }
        return unwrap(finished) as unknown as Ended;
      } catch (failure) {
        if (attempt === ENDING_ATTEMPTS) throw failure;
        await wait(Math.min(LONGEST_PAUSE_MS, 100 * 2 ** attempt), new AbortController().signal);
      }
    }
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

/** How the model's part of an answer ended. */
interface Told {
  state: "complete" | "stopped" | "failed";
  reason?: string | undefined;
  /** Whether the provider has said how its answer ended, so that its last report of usage is of all of it. */
  isWhole?: boolean;
  error?: string | undefined;
}

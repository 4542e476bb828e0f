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
import { call, defined } from "../_shared/rpc.ts";
import { askPatiently, wait } from "./asking.ts";
import { type Begun, type Ended, nameOf } from "./begun.ts";
import { Chunker } from "./chunks.ts";
import { lastChunks, toFinishReason } from "./endings.ts";
import { type Piece, toPieces } from "./pieces.ts";
import { type ChatMessage, toChatMessages } from "./prompt.ts";
import { ProviderError, type ProviderEvent, type Usage } from "./provider.ts";
import { register } from "./running.ts";
import { DONE, encodeEvent } from "./sse.ts";
import { PieceStore } from "./store.ts";
import { countExtra, countPrompt, countTokens } from "./tokens.ts";
import { PieceWriter } from "./writer.ts";

/** Attempts to store the end of an answer, with a pause that grows to {@link LONGEST_PAUSE_MS}. */
const ENDING_ATTEMPTS = 12;

/** The longest pause between two attempts, in milliseconds. */
const LONGEST_PAUSE_MS = 2_000;

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

  constructor(options: RunOptions) {
    const { begun } = this.#options = options;
    const { answer } = begun;
    this.#messages = options.messages ?? toChatMessages(begun.system, begun.history ?? []);
    this.#chunker = new Chunker((placed) => this.#sink?.enqueue(encodeEvent(answer.id, placed)), {
      firstPart: answer.first_part,
    });
    this.#store = new PieceStore({
      answerId: answer.id,
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
      cancel: () => {
        this.#sink = undefined;
        if (answer.ephemeral) this.end("stopped");
      },
    });
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
      if (this.#why !== "gone") ended = await this.#settle(told);
      else await this.#store.close();
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
    let usage: Usage | undefined;
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
        else if (event.type === "usage") usage = event.usage;
        else this.#take(event, writer);
        if (this.#bytes > limits.bytes) return { state: "complete", reason: "length" };
      }
      if (this.#abort.signal.aborted) return this.#ended(reason, usage);
      return { state: "complete", reason, usage };
    } catch (error) {
      if (this.#abort.signal.aborted) return this.#ended(reason, usage);
      // What was reported before the end is not all.
      if (reason === undefined) usage = undefined;
      if (error instanceof ProviderError) {
        logLine("error", {
          message: error.message,
          code: error.code,
          answer_id: this.#options.begun.answer.id,
        });
        return { state: "failed", error: error.code, usage };
      }
      logLine("error", {
        message: `An answer failed: ${error}`,
        answer_id: this.#options.begun.answer.id,
      });
      return { state: "failed", error: "server_error", usage };
    }
  }

  #ended(reason: string | undefined, usage: Usage | undefined): Told {
    return {
      state: "stopped",
      usage: reason === undefined ? undefined : usage,
      ...this.#why === "time" && { error: "time_limit" },
    };
  }

  #take(said: Extract<ProviderEvent, { text: string }>, writer: PieceWriter): void {
    // A provider may send all at once: what no message can hold is cut off.
    const room = this.#options.begun.limits.bytes - this.#bytes + 1;
    const event = { ...said, text: said.text.slice(0, room) };
    writer.add(event);
    this.#uncounted += event.text;
    if (event.type === "text" && this.#options.begun.answer.ephemeral) this.#said += event.text;
    if (event.type === "reasoning") this.#counted.reasoning += countTokens(event.text);
  }

  #write(piece: Piece): void {
    this.#bytes += Buffer.byteLength(JSON.stringify(piece.text ?? "")) - 2;
    if (piece.part !== this.#lastPart) this.#bytes += PART_BYTES;
    this.#lastPart = piece.part;
    this.#store.add(piece);
    this.#chunker.add(piece);
  }

  #count(): { input: number; output: number } {
    this.#counted.input ||= countPrompt(this.#messages) + countExtra(this.#options.parameters);
    this.#counted.output += countTokens(this.#uncounted);
    this.#uncounted = "";
    return this.#counted;
  }

  /** Makes the answer final, and tries again while the database cannot be reached. */
  async #settle({ state, reason, usage, error }: Told): Promise<Ended> {
    const { answer } = this.#options.begun;
    const { pieces, number } = await this.#store.close();
    const { input, output } = this.#count();
    const used: Usage = usage && this.#isPlausible(usage, output) ? usage : {
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
      pieces: (answer.ephemeral ? [] : pieces) as unknown as Json,
      number,
      finish_reason: state === "complete" ? toFinishReason(reason) : undefined,
      error,
      attempts: this.#attempts,
    });
    for (let attempt = 1;; attempt++) {
      try {
        return await call(() => adminClient().rpc("finish_answer", args)) as unknown as Ended;
      } catch (failure) {
        if (attempt === ENDING_ATTEMPTS) throw failure;
        await wait(Math.min(LONGEST_PAUSE_MS, 100 * 2 ** attempt), new AbortController().signal);
      }
    }
  }

  /** Whether a provider can have counted so: what it reports is what the user pays. */
  #isPlausible({ input_tokens, output_tokens }: Usage, counted: number): boolean {
    const { context_tokens } = this.#options.begun.limits;
    // Twice, because the fallback may have another tokenizer and a larger context.
    return (output_tokens > 0 || counted === 0) &&
      input_tokens + output_tokens <= 2 * context_tokens;
  }

  #finish(ended: Ended | undefined): void {
    const { answer } = this.#options.begun;
    const last = ended?.answer ?? { ...answer, state: "failed", error: "server_error" } as const;
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
  usage?: Usage | undefined;
  error?: string | undefined;
}

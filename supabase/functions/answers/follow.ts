/**
 * Follows an answer that this process may not be writing: reads from the database what is stored of it, until it ends.
 *
 * @module
 */

import { wait } from "./asking.ts";
import { type Answer, type Ended, nameOf, type Reading } from "./begun.ts";
import { Chunker, parsePosition, type PlacedChunk, type Position, START } from "./chunks.ts";
import { lastChunks } from "./endings.ts";
import { toParts, toPieces } from "./pieces.ts";
import { findRunning } from "./running.ts";
import { INTERVAL_MS, readAnswer, readNext } from "./shared_reading.ts";
import { DONE, encodeEvent } from "./sse.ts";

/** Who only waits for the end asks less and less often: each pause is this many times as long as the last one. */
const EASE = 1.5;

/** The longest pause between two readings, in milliseconds. */
const LONGEST_PAUSE_MS = 2_000;

/** After the last part that an answer can have. */
const NO_PARTS = 2 ** 31 - 1;

/** Failed readings in a row after which the stream ends without `[DONE]`, so that the client comes again. */
const PATIENCE = 20;

/** How long a stream may last, in milliseconds: less than the function may run. */
const LONGEST_MS = 140_000;

/**
 * Waits until an answer has ended. If this process writes it, the database is not asked.
 *
 * @param user_id Its user.
 * @param id Id of the answer.
 * @param patienceMs How long to wait at most.
 * @returns How it ended, if this process has written it. Otherwise the database knows.
 */
export async function awaitEnd(
  user_id: string,
  id: string,
  patienceMs: number,
): Promise<Ended | undefined> {
  const start = performance.now();
  const left = () => start + patienceMs - performance.now();
  const here = findRunning(id);
  if (here) return await before(patienceMs, here.done);
  for (let pause = INTERVAL_MS;; pause = Math.min(pause * EASE, LONGEST_PAUSE_MS)) {
    // Its text is not needed.
    const { answer } = await readAnswer(user_id, id, NO_PARTS);
    if (answer?.state !== "running" || left() <= 0) return undefined;
    await wait(Math.min(pause, left()), new AbortController().signal);
  }
}

/** What a promise resolves to, or undefined if that takes longer. */
async function before<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const over = new AbortController();
  try {
    return await Promise.race([promise, wait(ms, over.signal).then(() => undefined)]);
  } finally {
    over.abort();
  }
}

/** What to follow. */
export interface FollowOptions {
  userId: string;
  /** The first reading of the answer. */
  reading: Reading & { answer: Answer };
  /** The position of the client. Default: the beginning. */
  after?: Position;
}

/** The stream of an answer: what the client does not have yet, and then what comes. */
export function follow(options: FollowOptions): ReadableStream<Uint8Array> {
  const gone = new AbortController();
  return new ReadableStream<Uint8Array>({
    start(controller) {
      new Follower(options, controller, gone.signal).run().then(
        () => gone.signal.aborted || controller.close(),
        (error) => gone.signal.aborted || controller.error(error),
      );
    },
    cancel: () => gone.abort(),
  });
}

class Follower {
  readonly #options: FollowOptions;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #gone: AbortSignal;
  #at: Position;
  #number = -1;

  constructor(
    options: FollowOptions,
    controller: ReadableStreamDefaultController<Uint8Array>,
    gone: AbortSignal,
  ) {
    this.#options = options;
    this.#gone = gone;
    this.#send = (bytes) => gone.aborted || controller.enqueue(bytes);
    this.#at = options.after ?? START;
  }

  async run(): Promise<void> {
    const { userId, reading: first } = this.#options;
    const deadline = performance.now() + LONGEST_MS;
    const chunker = this.#chunker();
    chunker.start(nameOf(first.message));
    let reading: Reading = first;
    let failures = 0;
    if (first.answer.state === "running") {
      // The message has the parts of earlier steps. A client that comes anew gets them, too.
      for (const piece of toPieces(first.message?.content)) chunker.add(piece);
    }
    while (reading.answer?.state === "running") {
      for (const { number, pieces } of reading.parts) {
        this.#number = number;
        for (const piece of pieces) chunker.add(piece);
      }
      if (this.#gone.aborted || performance.now() > deadline || failures > PATIENCE) return;
      try {
        reading = await readNext(userId, first.answer.id, this.#number);
        failures = 0;
      } catch {
        reading = { ...reading, parts: [] };
        failures++;
      }
    }
    if (reading.answer) this.#end(reading.answer, reading);
    this.#send(DONE);
  }

  /** The rest comes from the message, because the parts are gone: from the beginning, without what the client has. */
  #end(answer: Answer, { message }: Reading): void {
    const chunker = this.#chunker();
    chunker.start(nameOf(message));
    const parts = toParts(message?.content);
    for (const piece of toPieces(parts)) chunker.add(piece);
    chunker.end(lastChunks(answer));
  }

  #chunker(): Chunker {
    return new Chunker((placed) => this.#emit(placed), { after: this.#at });
  }

  #emit(placed: PlacedChunk): void {
    this.#at = parsePosition(placed.position) ?? this.#at;
    this.#send(encodeEvent(this.#options.reading.answer.id, placed));
  }
}

/**
 * Follows an answer that this process may not be writing: reads from the database what is stored of it, until it ends.
 *
 * @module
 */

import { adminClient } from "../_shared/clients.ts";
import { call } from "../_shared/rpc.ts";
import { wait } from "./asking.ts";
import { type Answer, type Ended, nameOf, type Reading } from "./begun.ts";
import { Chunker, parsePosition, type PlacedChunk, type Position, START } from "./chunks.ts";
import { lastChunks } from "./endings.ts";
import { toParts, toPieces } from "./pieces.ts";
import { DONE, encodeEvent } from "./sse.ts";

/** How often the database is asked, in milliseconds: as often as something is stored. */
const INTERVAL_MS = 250;

/** Failed readings in a row after which the stream ends without `[DONE]`, so that the client comes again. */
const PATIENCE = 20;

/** How long a stream may last, in milliseconds: less than the function may run. */
const LONGEST_MS = 140_000;

/**
 * Reads an answer.
 *
 * @param user_id Its user.
 * @param id Id of the answer, or of its conversation or project.
 * @param after Number of the last part that was read. Default: none.
 * @returns Its state and what is new.
 */
export async function readAnswer(user_id: string, id: string, after = -1): Promise<Reading> {
  const reading = await call(() => adminClient().rpc("read_answer", { user_id, id, after }));
  return reading as unknown as Reading;
}

/**
 * Waits until an answer has ended.
 *
 * @param user_id Its user.
 * @param id Id of the answer.
 * @param patienceMs How long to wait at most.
 * @returns The answer and its message, as they are then.
 */
export async function awaitEnd(
  user_id: string,
  id: string,
  patienceMs: number,
): Promise<Pick<Ended, "answer" | "message"> | undefined> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    // Its text is not needed until the end.
    const { answer, message } = await readAnswer(user_id, id, 2 ** 31 - 1);
    if (!answer) return undefined;
    if (answer.state !== "running" || performance.now() > deadline) return { answer, message };
    await wait(INTERVAL_MS, new AbortController().signal);
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
      await wait(INTERVAL_MS, this.#gone);
      try {
        reading = await readAnswer(userId, first.answer.id, this.#number);
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

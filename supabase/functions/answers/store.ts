/**
 * Stores what a running answer says: at most one call in 250 ms, with all that has come since the last one.
 *
 * @module
 */

import { adminClient } from "../_shared/clients.ts";
import type { Json } from "../_shared/database.types.ts";
import { unwrap } from "../_shared/rpc.ts";
import { wait } from "./asking.ts";
import { addPiece, type Piece } from "./pieces.ts";

/** Shortest time between two calls, in milliseconds. */
const INTERVAL_MS = 250;

/** How often an answer gives a sign of life when it says nothing, in milliseconds. */
const PULSE_MS = 1_000;

/** A call that is slow is made less often: the pause is this many times as long as the call. */
const EASE = 2;

/** What a store needs to know. */
export interface StoreOptions {
  answerId: string;
  /** Whether nothing of what is said may leave the function, except to the client. */
  ephemeral: boolean;
  /** Counts the tokens so far: of the input, and of the output. */
  count: () => { input: number; output: number };
  /** Called when the answer is to end: somebody has stopped it, or it is no longer running. */
  onEnd: (why: "stopped" | "gone") => void;
}

/** Stores the pieces of one answer. */
export class PieceStore {
  readonly #options: StoreOptions;
  readonly #closing = new AbortController();
  #pending: Piece[] = [];
  /** Whether something has come since the last call. */
  #isNew = false;
  /**
   * What was sent and not confirmed: it must be sent again as it was, because it may have arrived. So must what was counted:
   * more would be a price without its text.
   */
  #unconfirmed: { pieces: Piece[]; input: number; output: number } | undefined;
  #number = 0;
  readonly #running: Promise<void>;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Takes a piece, which is stored a moment later. Of an ephemeral answer, only what has been counted is. */
  add(piece: Piece): void {
    this.#isNew = true;
    if (!this.#options.ephemeral) addPiece(this.#pending, piece);
  }

  /**
   * Stores no more.
   *
   * @returns What has not been stored, and the number under which it would have been.
   */
  async close(): Promise<{ pieces: Piece[]; number: number }> {
    this.#closing.abort();
    await this.#running;
    return { pieces: [...this.#unconfirmed?.pieces ?? [], ...this.#pending], number: this.#number };
  }

  async #run(): Promise<void> {
    let pause = INTERVAL_MS;
    let last = performance.now();
    while (!this.#closing.signal.aborted) {
      await wait(pause, this.#closing.signal);
      const start = performance.now();
      const isDue = this.#unconfirmed || this.#isNew || start - last >= PULSE_MS;
      if (!isDue || this.#closing.signal.aborted) continue;
      await this.#send().catch(() => {
        // The next call sends it again. If the database stays away, the end of the answer reports it.
      });
      last = performance.now();
      pause = Math.max(INTERVAL_MS, (last - start) * EASE);
    }
  }

  async #send(): Promise<void> {
    if (!this.#unconfirmed) {
      this.#unconfirmed = { pieces: this.#pending, ...this.#options.count() };
      this.#pending = [];
      this.#isNew = false;
    }
    const { pieces, input, output } = this.#unconfirmed;
    const { state, stop_requested } = unwrap(
      await adminClient().rpc("append_answer_parts", {
        answer_id: this.#options.answerId,
        number: this.#number,
        pieces: pieces as unknown as Json,
        input_tokens: input,
        output_tokens: output,
      }),
    );
    this.#unconfirmed = undefined;
    this.#number++;
    if (state !== "running") this.#options.onEnd("gone");
    else if (stop_requested) this.#options.onEnd("stopped");
  }
}

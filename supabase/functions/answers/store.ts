/**
 * Stores what running answers say. All answers of this process share one call in 250 ms, with all that has come since the
 * last one.
 *
 * @module
 */

import { adminClient } from "../_shared/clients.ts";
import type { Json } from "../_shared/database.types.ts";
import { logLine } from "../_shared/log.ts";
import { Problem } from "../_shared/problem.ts";
import { unwrap } from "../_shared/rpc.ts";
import { addPiece, type Piece } from "./pieces.ts";

/** Shortest time between two calls, in milliseconds. */
const INTERVAL_MS = 250;

/** How often an answer gives a sign of life when it says nothing, in milliseconds. */
const PULSE_MS = 1_000;

/** Calls that are slow are made less often: the pause is this many times as long as the call. */
const EASE = 2;

/** The longest pause, in milliseconds: an answer that is silent for too long is abandoned. */
const LONGEST_PAUSE_MS = 5_000;

/** Most answers of one call: the transaction keeps them from ending. */
const MOST_ANSWERS = 100;

/** About how many characters the pieces of one call may have. */
const MOST_CHARACTERS = 1_000_000;

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

/** How an answer is, as the database returns it. */
interface Progress {
  answer_id: string | null;
  state: string | null;
  stop_requested: boolean | null;
}

/** Stores the pieces of one answer. */
export class PieceStore {
  readonly #options: StoreOptions;
  #pending: Piece[] = [];
  /** Whether something has come since the last call. */
  #isNew = false;
  /**
   * What was sent and not confirmed: it must be sent again as it was, because it may have arrived. So must what was counted:
   * more would be a price without its text.
   */
  #unconfirmed: { pieces: Piece[]; input: number; output: number } | undefined;
  #number = 0;
  #last = performance.now();
  #sending: Promise<void> | undefined;
  /** Whether the database refuses it. It is then sent apart from the others. */
  isRefused = false;

  constructor(options: StoreOptions) {
    this.#options = options;
    begin(this);
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
    stores.delete(this);
    await this.#sending;
    return { pieces: [...this.#unconfirmed?.pieces ?? [], ...this.#pending], number: this.#number };
  }

  /** Whether there is something to store, or a sign of life to give. */
  get isDue(): boolean {
    return this.#unconfirmed !== undefined || this.#isNew ||
      performance.now() - this.#last >= PULSE_MS;
  }

  /** What is to be stored. */
  take(): Record<string, unknown> {
    if (!this.#unconfirmed) {
      this.#unconfirmed = { pieces: this.#pending, ...this.#options.count() };
      this.#pending = [];
      this.#isNew = false;
    }
    const { pieces, input, output } = this.#unconfirmed;
    return {
      answer_id: this.#options.answerId,
      number: this.#number,
      pieces,
      input_tokens: input,
      output_tokens: output,
    };
  }

  /** What was taken is being stored until then. */
  set sending(sending: Promise<void>) {
    this.#sending = sending;
  }

  /** Takes note of how the answer is. Without that, what was taken is sent again. */
  confirm(rows: Progress[]): void {
    const row = rows.find(({ answer_id }) => answer_id === this.#options.answerId);
    if (!row) return;
    this.#unconfirmed = undefined;
    this.#number++;
    this.#last = performance.now();
    this.isRefused = false;
    if (row.state !== "running") this.#options.onEnd("gone");
    else if (row.stop_requested) this.#options.onEnd("stopped");
  }
}

/** The stores of this process. */
const stores = new Set<PieceStore>();

let isRunning = false;

function begin(store: PieceStore): void {
  stores.add(store);
  if (!isRunning) run();
}

async function run(): Promise<void> {
  isRunning = true;
  let pause = INTERVAL_MS;
  while (stores.size > 0) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    const start = performance.now();
    try {
      await Promise.all(batches([...stores].filter(({ isDue }) => isDue)).map(send));
    } catch (error) {
      // What goes wrong with one answer must not end the loop of all.
      logLine("error", { message: "Parts of answers could not be stored", error: String(error) });
    }
    const took = performance.now() - start;
    pause = Math.min(LONGEST_PAUSE_MS, Math.max(INTERVAL_MS, took * EASE));
  }
  isRunning = false;
}

interface Batch {
  stores: PieceStore[];
  parts: Record<string, unknown>[];
}

/** Divides what is due into calls that are not too large. */
function batches(due: PieceStore[]): Batch[] {
  const all: Batch[] = [];
  let characters = Infinity;
  for (const store of due) {
    const part = store.take();
    const size = JSON.stringify(part).length;
    const last = store.isRefused ? undefined : all.at(-1);
    if (
      last && !last.stores[0]?.isRefused && last.parts.length < MOST_ANSWERS &&
      characters + size <= MOST_CHARACTERS
    ) {
      last.stores.push(store);
      last.parts.push(part);
      characters += size;
    } else {
      all.push({ stores: [store], parts: [part] });
      characters = size;
    }
  }
  return all;
}

/** Stores a batch. What fails is sent again by the next call; the end of an answer reports it. */
function send(batch: Batch): Promise<void> {
  const sending = append(batch).catch(async (error) => {
    // Something in it may be what the database refuses, and must not keep the others from being stored.
    const isRefusal = !(error instanceof Problem) || error.status < 502;
    if (!isRefusal || batch.stores.length === 1) return;
    for (const [index, store] of batch.stores.entries()) {
      await append({ stores: [store], parts: batch.parts.slice(index, index + 1) }).catch(() => {
        store.isRefused = true;
      });
    }
  });
  for (const store of batch.stores) store.sending = sending;
  return sending;
}

async function append({ stores, parts }: Batch): Promise<void> {
  const rows = unwrap(
    await adminClient().rpc("append_answer_parts", { parts: parts as unknown as Json }),
  );
  for (const store of stores) store.confirm(rows);
}

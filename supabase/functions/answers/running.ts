/**
 * The answers that this process is writing. The next request for an answer may reach another process: whoever looks here must
 * also know what to do if it is not there.
 *
 * @module
 */

import type { Ended } from "./begun.ts";

/** An answer that is being written here. */
export interface RunningAnswer {
  /** Resolves when it has ended; to undefined if it could not be settled, or is no longer there. */
  readonly done: Promise<Ended | undefined>;
  /** Ends it. */
  end(why: "stopped"): void;
}

const answers = new Map<string, RunningAnswer>();

/** Lists an answer until it has ended. */
export function register(answerId: string, answer: RunningAnswer): void {
  answers.set(answerId, answer);
  const remove = () => answers.delete(answerId);
  answer.done.then(remove, remove);
}

/** Finds an answer that is being written here. */
export function findRunning(answerId: string): RunningAnswer | undefined {
  return answers.get(answerId);
}

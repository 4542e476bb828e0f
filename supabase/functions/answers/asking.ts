/**
 * Asks a model until it answers: a request that failed before its first word is repeated, then sent to the fallback.
 *
 * @module
 */

import { ask, type Endpoint, type Question } from "./provider.ts";
import { ProviderError } from "./provider_error.ts";
import type { ProviderEvent } from "./provider_events.ts";

/** Requests to one endpoint. */
const ATTEMPTS = 3;

/** Pause before the second request, in milliseconds. It doubles with each further one. */
const FIRST_PAUSE_MS = 500;

/** The longest pause that a provider may ask for, in milliseconds: somebody is waiting for the answer. */
const LONGEST_PAUSE_MS = 10_000;

/** How to ask. */
export interface AskOptions {
  signal: AbortSignal;
  /** Milliseconds that a provider may send nothing. */
  idleMs: number;
  /** Called before each request. */
  onAttempt: () => void;
}

/**
 * Asks a model.
 *
 * @param endpoints Where the model is, then where its fallback is.
 * @param question What it is asked.
 * @param options See {@link AskOptions}.
 * @throws {ProviderError} if none of them answers, or if the one that does stops in the middle.
 */
export async function* askPatiently(
  endpoints: Endpoint[],
  question: Question,
  options: AskOptions,
): AsyncGenerator<ProviderEvent> {
  let last: unknown;
  for (const endpoint of endpoints) {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      let said = false;
      options.onAttempt();
      try {
        for await (const event of ask(endpoint, question, options)) {
          said = true;
          yield event;
        }
        return;
      } catch (error) {
        last = error;
        if (said || options.signal.aborted || !(error instanceof ProviderError)) throw error;
        if (!error.retryable || attempt === ATTEMPTS) break;
        const pause = error.waitMs ?? FIRST_PAUSE_MS * 2 ** (attempt - 1);
        if (pause > LONGEST_PAUSE_MS) break;
        await wait(pause, options.signal);
      }
    }
  }
  throw last ?? new ProviderError("model_misconfigured", "The model has no provider");
}

/** Waits, or less if the signal comes. */
export function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

/**
 * What a provider reports of its tokens, and whether that is believed: it is what the user pays.
 *
 * @module
 */

import type { Usage } from "./provider_events.ts";

/** The reports of one answer. Some providers report once, at the end; others with each word. */
export class UsageReports {
  #usage: Usage | undefined;
  #isOutdated = false;

  /** Whether there is none. */
  get isEmpty(): boolean {
    return this.#usage === undefined;
  }

  /** Takes a report. */
  add(usage: Usage): void {
    this.#usage = usage;
    this.#isOutdated = false;
  }

  /** Notes that the provider has said something since. */
  outdate(): void {
    this.#isOutdated = true;
  }

  /**
   * Returns the last report, if it can be true and is of all that was said. One from the middle of an answer counts if it
   * has more than the server has seen, such as reasoning that is not shown.
   *
   * @param counted Tokens of output that the server has counted.
   * @param contextTokens The context of the model in tokens.
   * @param isWhole Whether the provider has said how its answer ended.
   */
  believed(counted: number, contextTokens: number, isWhole = false): Usage | undefined {
    if (!this.#usage) return undefined;
    const { input_tokens, output_tokens } = this.#usage;
    // Twice, because the fallback may have another tokenizer and a larger context.
    const isPossible = (output_tokens > 0 || counted === 0) &&
      input_tokens + output_tokens <= 2 * contextTokens;
    const isOfAll = isWhole && !this.#isOutdated || output_tokens > counted;
    return isPossible && isOfAll ? this.#usage : undefined;
  }
}

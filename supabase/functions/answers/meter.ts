/**
 * Counts what an answer uses, step by step.
 *
 * @module
 */

import type { Usage } from "./provider_events.ts";
import { countTokens } from "./tokens.ts";
import { UsageReports } from "./usage.ts";

/** The usage of all steps that have ended, and our own count of the one that is running. */
export class Meter {
  readonly #contextTokens: number;
  #ended: Usage = {
    input_tokens: 0,
    cached_input_tokens: 0,
    output_tokens: 0,
    reasoning_tokens: 0,
    source: "provider",
  };
  #prompt: (() => number) | undefined;
  #input = 0;
  #output = 0;
  #reasoning = 0;
  #uncounted = "";
  #reports = new UsageReports();

  /** @param contextTokens The context of the model: nothing can have used much more. */
  constructor(contextTokens: number) {
    this.#contextTokens = contextTokens;
  }

  /**
   * Begins a step.
   *
   * @param prompt Counts the tokens of what the model is told. Called when the number is needed.
   */
  begin(prompt: () => number): void {
    this.#prompt = prompt;
    this.#input = 0;
    this.#output = 0;
    this.#reasoning = 0;
    this.#reports = new UsageReports();
  }

  /** Takes what the provider reports. */
  report(usage: Usage): void {
    this.#reports.add(usage);
  }

  /** Takes what the model says. */
  add(text: string, isReasoning: boolean): void {
    this.#reports.outdate();
    this.#uncounted += text;
    if (isReasoning) this.#reasoning += countTokens(text);
  }

  /** Takes tokens that are not text. */
  addTokens(tokens: number): void {
    this.#output += tokens;
  }

  /** The tokens so far: of the input, and of the output. */
  count(): { input: number; output: number } {
    const { input_tokens, output_tokens } = this.#ended;
    const step = this.#countStep();
    return { input: input_tokens + step.input, output: output_tokens + step.output };
  }

  /**
   * Ends a step. If what the provider has reported cannot be true, our own count takes its place. A step that ended before
   * anything was said or reported is not counted.
   *
   * @param isWhole Whether the provider has said how its answer ended.
   */
  end(isWhole: boolean): void {
    const { input, output } = this.#countStep();
    const isNothing = !isWhole && output === 0 && this.#reports.isEmpty;
    const used: Usage | undefined = isNothing
      ? undefined
      : this.#reports.believed(output, this.#contextTokens, isWhole) ?? {
        input_tokens: input,
        cached_input_tokens: 0,
        output_tokens: output,
        reasoning_tokens: Math.min(this.#reasoning, output),
        source: "counted",
      };
    if (used) this.#add(used);
    this.begin(() => 0);
    this.#prompt = undefined;
  }

  /** The usage of the steps that have ended. */
  get usage(): Usage {
    return this.#ended;
  }

  #add(used: Usage): void {
    this.#ended = {
      input_tokens: this.#ended.input_tokens + used.input_tokens,
      cached_input_tokens: this.#ended.cached_input_tokens + used.cached_input_tokens,
      output_tokens: this.#ended.output_tokens + used.output_tokens,
      reasoning_tokens: this.#ended.reasoning_tokens + used.reasoning_tokens,
      source: this.#ended.source === "counted" ? "counted" : used.source,
    };
  }

  #countStep(): { input: number; output: number } {
    if (this.#prompt && this.#input === 0) this.#input = this.#prompt();
    this.#output += countTokens(this.#uncounted);
    this.#uncounted = "";
    return { input: this.#input, output: this.#output };
  }
}

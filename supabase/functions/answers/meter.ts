/**
 * Counts what an answer uses, step by step.
 *
 * @module
 */

import type { Usage } from "./provider.ts";
import { countTokens } from "./tokens.ts";

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
  }

  /** Takes what the model says. */
  add(text: string, isReasoning: boolean): void {
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
   * Ends a step.
   *
   * @param reported What the provider reported. If it cannot be true, our own count takes its place.
   */
  end(reported: Usage | undefined): void {
    const { input, output } = this.#countStep();
    const used: Usage = reported && this.#isPlausible(reported, output) ? reported : {
      input_tokens: input,
      cached_input_tokens: 0,
      output_tokens: output,
      reasoning_tokens: Math.min(this.#reasoning, output),
      source: "counted",
    };
    this.#ended = {
      input_tokens: this.#ended.input_tokens + used.input_tokens,
      cached_input_tokens: this.#ended.cached_input_tokens + used.cached_input_tokens,
      output_tokens: this.#ended.output_tokens + used.output_tokens,
      reasoning_tokens: this.#ended.reasoning_tokens + used.reasoning_tokens,
      source: this.#ended.source === "counted" ? "counted" : used.source,
    };
    this.begin(() => 0);
    this.#prompt = undefined;
  }

  /** The usage of the steps that have ended. */
  get usage(): Usage {
    return this.#ended;
  }

  #countStep(): { input: number; output: number } {
    if (this.#prompt && this.#input === 0) this.#input = this.#prompt();
    this.#output += countTokens(this.#uncounted);
    this.#uncounted = "";
    return { input: this.#input, output: this.#output };
  }

  /** Whether a provider can have counted so: what it reports is what the user pays. */
  #isPlausible({ input_tokens, output_tokens }: Usage, counted: number): boolean {
    // Twice, because the fallback may have another tokenizer and a larger context.
    return (output_tokens > 0 || counted === 0) &&
      input_tokens + output_tokens <= 2 * this.#contextTokens;
  }
}

/**
 * One step of an answer: what the model says until it has finished, or calls tools.
 *
 * @module
 */

import { logLine } from "../_shared/log.ts";
import { askPatiently } from "./asking.ts";
import type { Begun } from "./begun.ts";
import { MOST_IMAGES } from "./kept_images.ts";
import type { ChatMessage } from "./prompt.ts";
import { ProviderError } from "./provider_error.ts";
import type { Usage } from "./provider_events.ts";
import type { Ending } from "./settling.ts";
import type { PieceWriter, SaidEvent } from "./writer.ts";

/** What a step is to be. */
export interface StepOptions {
  begun: Begun;
  messages: ChatMessage[];
  /** The most tokens that the model may write. */
  most: number;
  /** Members of the provider's request. */
  parameters: Record<string, unknown>;
  signal: AbortSignal;
  /** Called before each request. */
  onAttempt: () => void;
  /** Takes what the model says. Returns the text that is for the user. */
  take: (event: SaidEvent) => string;
  /** Takes what the provider reports of its tokens. */
  report: (usage: Usage) => void;
  /** Whether the message can hold no more. */
  isFull: () => boolean;
  /** Says why the signal was aborted. */
  stopped: () => Ending;
}

/** How a step ended. */
export interface Told extends Ending {
  text: string;
  /** URLs of the images that the model has made. */
  images: string[];
  /** Whether the provider has said how its answer ended, so that its last report of usage is of all of it. */
  isWhole: boolean;
}

/**
 * Asks the model. Never throws.
 *
 * @param writer Writes the sources; {@link StepOptions.take} writes the text.
 * @param options See {@link StepOptions}.
 */
export async function askStep(writer: PieceWriter, options: StepOptions): Promise<Told> {
  const { begun: { endpoints, limits, answer }, signal, onAttempt } = options;
  const told: Told = { state: "complete", text: "", images: [], isWhole: false };
  try {
    const { messages, most: output_tokens, parameters } = options;
    const events = askPatiently(endpoints, { messages, output_tokens, parameters }, {
      signal,
      idleMs: limits.idle_time * 1000,
      onAttempt,
    });
    for await (const event of events) {
      if (event.type === "finish") told.reason = event.reason;
      else if (event.type === "usage") options.report(event.usage);
      else if (event.type === "details") writer.addDetails(event.provider, event.details);
      else if (event.type === "source") writer.addSource(event.url, event.title);
      else if (event.type === "file") {
        // Each may be large, and those that are too many are refused as one.
        if (told.images.length <= MOST_IMAGES) told.images.push(event.url);
      } else told.text += options.take(event);
      if (options.isFull()) return { ...told, reason: "length" };
    }
    if (!signal.aborted) return { ...told, isWhole: true };
  } catch (error) {
    if (!signal.aborted) {
      const known = error instanceof ProviderError ? error : undefined;
      const code = known?.code ?? "server_error";
      logLine("error", {
        message: known?.message ?? "An answer failed",
        // Where, but not the message: it may have something of what was said.
        ...!known && error instanceof Error && { at: error.stack?.slice(`${error}`.length) },
        code,
        answer_id: answer.id,
      });
      told.state = "failed";
      told.error = code;
    }
  }
  told.isWhole = told.reason !== undefined;
  return signal.aborted ? { ...told, ...options.stopped() } : told;
}

/**
 * The members of the provider's request for a step.
 *
 * @param parameters Those of the first step.
 * @param step Number of the step, from 1.
 * @param steps The most steps.
 */
export function parametersOf(
  parameters: Record<string, unknown>,
  step: number,
  steps: number,
): Record<string, unknown> {
  if (steps === 1 || !parameters.tools) return parameters;
  // After the last step, no call could be answered.
  if (step === steps) return { ...parameters, tool_choice: "none" };
  // A tool that must be called would be called for ever.
  return step === 1 ? parameters : { ...parameters, tool_choice: "auto" };
}

/**
 * Why a provider did not answer.
 *
 * @module
 */

/** The provider, as far as its errors name it. */
interface Named {
  provider: string;
}

/** Why there is no answer: the code that the record of the answer has. */
export type Failure =
  | "model_misconfigured"
  | "provider_unavailable"
  | "provider_refused"
  | "provider_interrupted"
  | "provider_silent";

/** A provider did not answer, or stopped in the middle. Says nothing of what the provider sent: it may repeat the prompt. */
export class ProviderError extends Error {
  readonly code: Failure;
  /** Whether the same request may succeed a moment later. */
  readonly retryable: boolean;
  /** Milliseconds that the provider wants the next request to wait. */
  readonly waitMs: number | undefined;

  constructor(code: Failure, message: string, retryable = false, waitMs?: number) {
    super(message);
    this.name = "ProviderError";
    this.code = code;
    this.retryable = retryable;
    this.waitMs = waitMs;
  }
}

/** Statuses that another request may not get. */
const PASSING = [408, 425, 429];

/** Statuses of requests that are the fault of what was asked. Others are the operator's: the address, the key, the account. */
const OF_THE_QUESTION = [400, 413, 422];

/**
 * What a response that is no answer means.
 *
 * @param endpoint Who responded.
 * @param response The response.
 */
export function toError({ provider }: Named, { status, headers }: Response): ProviderError {
  const message = `${provider} responded with status ${status}`;
  if (status < 300) return new ProviderError("provider_interrupted", message, true);
  if (PASSING.includes(status) || status >= 500) {
    const wait = parseRetryAfter(headers.get("retry-after"), Date.now());
    return new ProviderError("provider_unavailable", message, true, wait);
  }
  return new ProviderError(
    OF_THE_QUESTION.includes(status) ? "provider_refused" : "model_misconfigured",
    message,
  );
}

/**
 * Reads the header `Retry-After`.
 *
 * @param value Its value: seconds, or a date.
 * @param now The time in milliseconds.
 * @returns Milliseconds to wait; undefined if it is neither, or in the past.
 */
export function parseRetryAfter(value: string | null, now: number): number | undefined {
  if (!value?.trim()) return undefined;
  const wait = Number.isNaN(Number(value)) ? Date.parse(value) - now : Number(value) * 1000;
  return wait >= 0 ? wait : undefined;
}

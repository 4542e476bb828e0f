/**
 * The error of all calls.
 *
 * @module
 */

/** Codes that the client itself makes. All others come from the server. */
export type ClientCode =
  /** No attempt got a response that says whether the server did this. */
  | "unreachable"
  /** The caller's signal ended the call. */
  | "aborted"
  /** The response does not come from Strongroom, but perhaps from a proxy. */
  | "unexpected_answer";

/** Details of a {@link StrongroomError}. */
export interface ErrorDetails {
  status?: number;
  hint?: string | undefined;
  request_id?: string | undefined;
  /** Seconds. */
  retry_after?: number | undefined;
  fields?: Record<string, unknown>;
  cause?: unknown;
}

/**
 * Why a call failed. Programs use the stable `code`; `message` and `hint` are sentences for people.
 *
 * ```ts
 * const { data, error } = await strongroom.credits.deduct({ sku: "image.generate", quantity: 1 });
 * if (error?.code === "insufficient_credits") offerMore(error.fields.available);
 * else if (error) showError(error.message, error.hint);
 * ```
 *
 * @template Code The codes that this call can return: those of the route's OpenAPI document and {@link ClientCode}.
 */
export class StrongroomError<Code extends string = string> extends Error {
  override readonly name: string = "StrongroomError";
  readonly code: Code;
  /** HTTP status; 0 if there was no response. */
  readonly status: number;
  /** Further members of the problem document, such as `available`. */
  readonly fields: Record<string, unknown>;
  /** What to do. */
  readonly hint: string | undefined;
  /** Identifies the request in the server's log. */
  readonly requestId: string | undefined;
  /** Seconds after which the call may succeed. */
  readonly retryAfter: number | undefined;
  /**
   * Sends the same request again, with the same idempotency key, and resolves as the call would have. Only if it is not
   * known whether the change was made: it is made once, even if an earlier attempt arrived.
   */
  repeat?: () => PromiseLike<unknown>;

  /**
   * @param code stable snake_case word
   * @param message a sentence for people, without a full stop
   * @param details status, hint, fields and cause
   */
  constructor(code: Code, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.code = code;
    this.status = details.status ?? 0;
    this.fields = details.fields ?? {};
    this.hint = details.hint;
    this.requestId = details.request_id;
    this.retryAfter = details.retry_after;
  }
}

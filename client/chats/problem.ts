/**
 * Reads what the server answered to a request that failed.
 *
 * @module
 */

/** A response with which a request failed. */
export interface Refusal {
  readonly status: number;
  /** Seconds. */
  readonly retry_after: number | undefined;
  /** The problem document, if the response has one. It has one if it comes from Strongroom. */
  readonly problem: Problem | undefined;
  /** What else the response has. */
  readonly body: unknown;
}

/** A problem document. */
export interface Problem {
  readonly code: string;
  readonly detail: string;
  /** `hint`, `request_id`, and the members of the code itself, such as `available`. */
  readonly fields: Record<string, unknown>;
}

/**
 * Reads an error of `functions.invoke()`. supabase-js has three classes, and also returns what a connection throws that
 * breaks during the answer.
 *
 * @param error of supabase-js
 * @returns the response; undefined if there was none
 */
export async function readRefusal(
  { name, context: response }: { name?: string; context?: unknown },
): Promise<Refusal | undefined> {
  if (name !== "FunctionsHttpError" || !(response instanceof Response)) return undefined;
  const body: unknown = await response.json().catch(() => undefined);
  return {
    status: response.status,
    retry_after: Number(response.headers.get("retry-after")) || undefined,
    problem: toProblem(body),
    body,
  };
}

function toProblem(body: unknown): Problem | undefined {
  const { type: _type, title: _title, status: _status, code, detail, ...fields } = Object(body);
  return typeof code === "string" && typeof detail === "string"
    ? { code, detail, fields }
    : undefined;
}

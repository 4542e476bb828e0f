/**
 * Sends requests until the server answers. Each change has an idempotency key, so that the server makes it once.
 *
 * @module
 */

import { ChatsError } from "./chats_error.ts";
import { pauseOf } from "./pause.ts";
import { readRefusal } from "./problem.ts";
import type { AnySupabaseClient } from "./supabase_client.ts";

/** How often and how long a request is tried. */
export interface RequestOptions {
  /** How often a request is sent before it fails as `unreachable` (5). */
  attempts?: number;
  /** Milliseconds before the second attempt (250). The pause doubles each time, and varies at random. */
  pause_ms?: number;
  /** Milliseconds before one attempt is given up (150,000: as long as the platform lets a function run). */
  timeout_ms?: number;
}

/** A request to a route of `functions/chats`. */
export interface ChatRequest<A> {
  readonly method: "GET" | "PUT" | "PATCH" | "POST" | "DELETE";
  /** Path and query after `/chats/`. */
  readonly path: string;
  readonly body?: Record<string, unknown>;
  /** Of a change; the same for all attempts. */
  readonly idempotency_key?: string;
  /** Checks the answer: see `answers.ts`. */
  readonly read: (answer: unknown) => A;
}

/** Makes a request that changes something, with a new idempotency key. */
export function change<A>(
  method: "PUT" | "PATCH" | "POST",
  path: string,
  body: Record<string, unknown>,
  read: (answer: unknown) => A,
): ChatRequest<A> {
  return { method, path, body, read, idempotency_key: crypto.randomUUID() };
}

/** The longest that a server can make the client wait before it tries again. */
const MAX_PAUSE_MS = 60_000;

/** Statuses after which a request can be sent again: from a proxy, a busy database, or a worker that was stopped. */
const REPEATABLE = [429, 502, 503, 504, 546];

type Answer = { data: unknown } | { error: ChatsError; again: boolean; after_ms?: number };

/** Sends requests as the user who is signed in to a supabase-js client. */
export class Requests {
  readonly #supabase: AnySupabaseClient;
  readonly #options: Required<RequestOptions>;

  /**
   * @param supabase client of the signed-in user
   * @param options how often and how long a request is tried
   */
  constructor(
    supabase: AnySupabaseClient,
    { attempts = 5, pause_ms = 250, timeout_ms = 150_000 }: RequestOptions = {},
  ) {
    this.#supabase = supabase;
    this.#options = { attempts, pause_ms, timeout_ms };
  }

  /**
   * Sends a request until there is an answer, and handles the answer.
   *
   * @param request to a route of `functions/chats`
   * @param then handles the answer
   * @returns what `then` returns
   * @throws ChatsError the server's refusal; `unreachable`, for a change with `repeat`
   */
  async send<A, T>(request: ChatRequest<A>, then: (answer: A) => T | Promise<T>): Promise<T> {
    const { method, path, body, idempotency_key } = request;
    const options = {
      method,
      timeout: this.#options.timeout_ms,
      ...(body && { body }),
      ...(idempotency_key && { headers: { "idempotency-key": idempotency_key } }),
    };
    let answer: unknown;
    try {
      answer = await this.#untilAnswered(async () => {
        const { data, error } = await this.#supabase.functions.invoke(`chats/${path}`, options);
        return error ? await readFunctionError(error) : { data };
      });
    } catch (error) {
      if (error instanceof ChatsError && error.code === "unreachable" && method !== "GET") {
        error.repeat = () => this.send(request, then);
      }
      throw error;
    }
    return await then(request.read(answer));
  }

  /**
   * Calls a database function that only reads.
   *
   * @param name of the function
   * @param args its arguments
   * @param read checks the answer
   * @throws ChatsError the function's refusal; `unreachable`, `unexpected_answer`, `false_answer`
   */
  async rpc<A>(
    name: string,
    args: Record<string, unknown>,
    read: (answer: unknown) => A,
  ): Promise<A> {
    return await this.select((supabase) => supabase.rpc(name, args), read);
  }

  /**
   * Reads rows of the user.
   *
   * @param query builds the query with supabase-js
   * @param read checks the answer
   * @throws ChatsError the database's refusal; `unreachable`, `unexpected_answer`, `false_answer`
   */
  async select<A>(
    query: (supabase: AnySupabaseClient) => Query,
    read: (answer: unknown) => A,
  ): Promise<A> {
    const answer = await this.#untilAnswered(async () => {
      const signal = AbortSignal.timeout(this.#options.timeout_ms);
      const answer = await query(this.#supabase).abortSignal(signal);
      return answer.error ? readDatabaseError(answer.error, answer.status) : answer;
    });
    return read(answer);
  }

  async #untilAnswered(attempt: () => Promise<Answer>): Promise<unknown> {
    const { attempts, pause_ms } = this.#options;
    for (let attempted = 1;; attempted++) {
      const answer = await attempt();
      if ("data" in answer) return answer.data;
      const { error, again, after_ms = 0 } = answer;
      if (!again) throw error;
      if (attempted >= attempts) {
        throw new ChatsError(
          "unreachable",
          "The server did not say whether it carried out the request",
          {
            status: error.status,
            fields: error.fields,
            cause: error,
          },
        );
      }
      const wait_ms = pauseOf(attempted, pause_ms, Math.min(after_ms, MAX_PAUSE_MS));
      await new Promise((resolve) => setTimeout(resolve, wait_ms));
    }
  }
}

/** A query of supabase-js. */
interface Query {
  abortSignal(signal: AbortSignal): PromiseLike<Selected>;
}

/** What it resolves to. */
interface Selected {
  data: unknown;
  error: DatabaseError | null;
  status: number;
}

interface DatabaseError {
  code?: string;
  message: string;
  details?: string | null;
  hint?: string | null;
}

/** Reads an error of `functions.invoke()`. */
async function readFunctionError(cause: { name?: string; context?: unknown }): Promise<Answer> {
  const refusal = await readRefusal(cause);
  if (!refusal) return noAnswer(cause);
  const { status, retry_after = 0, problem } = refusal;
  const after_ms = 1000 * retry_after;
  if (!problem) {
    const message = `Unexpected response with status ${status}`;
    const error = new ChatsError("unexpected_answer", message, { status, cause });
    return { error, again: REPEATABLE.includes(status), after_ms };
  }
  const { code, detail, fields } = problem;
  const error = new ChatsError(code, detail, { status, fields });
  return { error, again: isRepeatable(status, after_ms), after_ms };
}

/** SQL puts the code into DETAIL as its first word, and the fields after it. */
function readDatabaseError(error: DatabaseError, status: number): Answer {
  if (status === 0) return noAnswer(error);
  const [, code, json] = /^([a-z][a-z0-9_]*)(?: (\{.*\}))?$/s.exec(error.details ?? "") ?? [];
  const raised = /^PT[45]\d\d$/.test(error.code ?? "") && code;
  const fields: Record<string, unknown> = {
    ...(error.hint && { hint: error.hint }),
    ...parsed(json),
  };
  const refusal = raised
    ? new ChatsError(code, error.message, { status, fields })
    : new ChatsError("unexpected_answer", error.message, { status, cause: error });
  const after_ms = 1000 * Number(fields.retry_after ?? 0) || 0;
  return { error: refusal, again: isRepeatable(status, after_ms), after_ms };
}

/** Parses the fields of a refusal; none if the server made them up. */
function parsed(json: string | undefined): Record<string, unknown> {
  try {
    return json === undefined ? {} : JSON.parse(json);
  } catch {
    return {};
  }
}

/** Our own 429 that does not say when there will be more is about a limit that time does not lift. */
function isRepeatable(status: number, after_ms: number): boolean {
  return REPEATABLE.includes(status) && (status !== 429 || after_ms > 0);
}

function noAnswer(cause: unknown): Answer {
  const error = new ChatsError("unreachable", "The server cannot be reached", { cause });
  return { error, again: true };
}

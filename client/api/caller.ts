/**
 * Sends calls, and sends them again until there is an answer.
 *
 * @module
 */

import type { AnySupabaseClient } from "../chats/requests.ts";
import type { Call, Caller, CallOptions, Methods, Result, RouteName, RouteTable } from "./call.ts";
import { factsOf, type RouteFacts } from "./routes.ts";
import { type Failure, readFailure } from "./failure.ts";
import { StrongroomError } from "./strongroom_error.ts";
import { pause, randomUuid } from "./support.ts";

/** How calls are repeated. */
export interface CallerOptions {
  /** How often a request is sent before the call fails (5). */
  attempts?: number;
  /** Milliseconds before the second attempt (250). The pause doubles each time, and varies at random. */
  pause_ms?: number;
  /** The longest time that a call waits when the server says `Retry-After` (30,000). If it is longer, the call fails. */
  longest_pause_ms?: number;
  /** Milliseconds before one attempt is given up (120,000). */
  timeout_ms?: number;
}

/** Sends a request of a route until there is an answer. */
export type Send = (
  route: RouteName,
  path: readonly string[],
  input: unknown,
  options?: CallOptions,
) => Promise<Result<unknown, string>>;

/**
 * Makes the one function that sends all calls.
 *
 * @param supabase client of the caller
 * @param options how calls are repeated
 */
export function sender(
  supabase: AnySupabaseClient,
  options: CallerOptions = {},
): Send {
  const {
    attempts = 5,
    pause_ms = 250,
    longest_pause_ms = 30_000,
    timeout_ms = 120_000,
  } = options;

  return async function send(
    route,
    path,
    input,
    { signal, idempotency_key, headers } = {},
  ) {
    const facts = factsOf(route);
    const key = facts.changes ? idempotency_key ?? randomUuid() : undefined;
    const url = fill(route, facts, path, input);
    const invocation = {
      method: facts.method,
      timeout: timeout_ms,
      // Auth servers and proxies refuse a POST without a length, so a route without input gets an empty object.
      ...(!facts.takes_query && { body: input ?? {} }),
      ...(signal && { signal }),
      // Some routes can also answer with a stream, or with CSV.
      headers: {
        accept: "application/json",
        ...(key && { "idempotency-key": key }),
        ...headers,
      },
    };
    for (let attempted = 1;; attempted++) {
      if (signal?.aborted) return { data: null, error: aborted(facts) };
      const { data, error } = await supabase.functions.invoke(url, invocation);
      if (!error) return { data, error: null };
      if (signal?.aborted) return { data: null, error: aborted(facts) };
      const failure = await readFailure(error);
      const after_ms = 1000 * (failure.error.retryAfter ?? 0);
      const again = failure.again && (facts.repeatable || !failure.uncertain) &&
        attempted < attempts && after_ms <= longest_pause_ms;
      if (!again) {
        const given_up = giveUp(failure, facts);
        if (failure.uncertain && facts.changes && facts.repeatable) {
          given_up.repeat = () =>
            send(route, path, input, {
              signal,
              headers,
              ...(key && { idempotency_key: key }),
            });
        }
        return { data: null, error: given_up };
      }
      // At random, so that clients do not all come back at once.
      const own_ms = pause_ms * 2 ** (attempted - 1) * (0.5 + Math.random());
      await pause(Math.max(own_ms, after_ms), signal);
    }
  };
}

/**
 * Makes the methods of a table of routes.
 *
 * @param table names of methods, and their routes
 * @param send sends the calls
 */
export function methodsOf<T extends RouteTable, C extends Caller>(
  table: T,
  send: Send,
): Methods<T, C> {
  const entries = Object.entries(table).map(([name, route]) =>
    [
      name,
      typeof route === "string" ? method(route, send) : methodsOf(route, send),
    ] as const
  );
  return Object.fromEntries(entries) as Methods<T, C>;
}

function method(route: RouteName, send: Send) {
  const parameters = route.split("{").length - 1;
  return (...args: unknown[]) => {
    const path = args.slice(0, parameters) as string[];
    const [input, options] = args.slice(parameters);
    return asCall(send(route, path, input, options as CallOptions));
  };
}

/** Adds `throwOnError` to the promise of a result. */
export function asCall<Data, Code extends string>(
  result: Promise<Result<Data, Code>>,
): Call<Data, Code> {
  return Object.assign(result, {
    throwOnError: async () => {
      const { data, error } = await result;
      if (error) throw error;
      return data as Data;
    },
  });
}

/** Fills in the parameters of the path, and adds the query. */
function fill(
  route: RouteName,
  { path, takes_query }: RouteFacts,
  parameters: readonly string[],
  input: unknown,
): string {
  const left = [...parameters];
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => {
    const value = left.shift();
    if (value) return encodeURIComponent(value);
    throw new TypeError(
      `${route} needs a value for ${name}, not ${JSON.stringify(value)}`,
    );
  });
  if (!takes_query || !input) return filled;
  const given = Object.entries(input).filter(([, value]) => value !== undefined && value !== null);
  const query = new URLSearchParams(
    given.map(([name, value]) => [name, String(value)]),
  );
  return given.length > 0 ? `${filled}?${query}` : filled;
}

/** Says what can be done next, if the server has not. */
function giveUp(
  { error, uncertain }: Failure,
  { changes, repeatable }: RouteFacts,
): StrongroomError {
  if (error.hint || !uncertain) return error;
  const hint = !changes
    ? "Call the method again when the device is online"
    : repeatable
    ? "Call error.repeat() when the device is online: the change is made only once"
    : "Read what has changed before you call the method again: the change may have been made";
  const {
    code,
    message,
    status,
    fields,
    requestId: request_id,
    retryAfter: retry_after,
  } = error;
  const details = {
    status,
    fields,
    hint,
    request_id,
    retry_after,
    cause: error.cause,
  };
  return new StrongroomError(code, message, details);
}

function aborted({ changes }: RouteFacts): StrongroomError {
  const hint = changes ? "The change may have been made: read what has changed" : undefined;
  return new StrongroomError("aborted", "The call was aborted", { hint });
}

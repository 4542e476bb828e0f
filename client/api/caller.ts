/**
 * Sends calls, and sends them again until there is an answer.
 *
 * @module
 */

import { pauseOf } from "../chats/pause.ts";
import type { AnySupabaseClient } from "../chats/supabase_client.ts";
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
  /** Milliseconds before one attempt is given up (150,000: as long as the platform lets a function run). */
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
    timeout_ms = 150_000,
  } = options;

  return async function send(
    route,
    path,
    input,
    { signal, idempotency_key, headers } = {},
  ) {
    const facts = factsOf(route);
    const key = facts.changes ? idempotency_key ?? randomUuid() : undefined;
    const { query, body } = split(facts, input);
    const url = fill(route, facts, path) + queryString(query);
    const invocation = {
      method: facts.method,
      timeout: timeout_ms,
      // Auth servers and proxies refuse a POST without a length, so a route without input gets an empty object.
      ...(body && { body }),
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
      await pause(pauseOf(attempted, pause_ms, after_ms), signal);
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

/** Splits the input into what goes into the query and what is the body; undefined if the route takes no body. */
function split({ takes_query, query }: RouteFacts, input: unknown) {
  const members = Object.entries(input ?? {});
  const isQuery = ([name]: [string, unknown]) => takes_query || query.includes(name);
  const body = Object.fromEntries(members.filter((member) => !isQuery(member)));
  return { query: members.filter(isQuery), body: takes_query ? undefined : body };
}

/** Fills in the parameters of the path. */
function fill(route: RouteName, { path }: RouteFacts, parameters: readonly string[]): string {
  const left = [...parameters];
  return path.replace(/\{(\w+)\}/g, (_, name) => {
    const value = left.shift();
    if (value) return encodeURIComponent(value);
    throw new TypeError(
      `${route} needs a value for ${name}, not ${JSON.stringify(value)}`,
    );
  });
}

function queryString(members: [string, unknown][]): string {
  const given = members.filter(([, value]) => value !== undefined && value !== null);
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return given.length > 0 ? `?${query}` : "";
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

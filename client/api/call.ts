/**
 * The types of calls: from the routes of the OpenAPI documents to methods.
 *
 * @module
 */

import type { Routes } from "../generated/routes.ts";
import type { ClientCode, StrongroomError } from "./strongroom_error.ts";

/** A route of a function: `POST /credits/deduct`. */
export type RouteName = keyof Routes;

/** Who calls: a signed-in user, or a service with the secret key. */
export type Caller = "user" | "service";

/** What a route answers. */
export type Answer<R extends RouteName> = Routes[R]["answer"];

/** The codes with which a call of a route can fail. */
export type Code<R extends RouteName> = Routes[R]["code"] | ClientCode;

/** What a caller sends to a route: the body, or the query of a GET or DELETE. */
export type Input<R extends RouteName, C extends Caller = "user"> = Routes[R] extends
  Record<C, infer I> ? I : never;

/** What a call resolves to, as in supabase-js: `data`, or `error`. */
export type Result<Data, Code extends string> =
  | { data: Data; error: null }
  | { data: null; error: StrongroomError<Code> };

/** A call that has been sent. */
export interface Call<Data, Code extends string> extends Promise<Result<Data, Code>> {
  /** Resolves to the data. Rejects with the `StrongroomError` if the call fails. */
  throwOnError(): Promise<Data>;
}

/** Options of a call. */
export interface CallOptions {
  /** Ends the call, also while it waits to be repeated. */
  signal?: AbortSignal | undefined;
  /**
   * Identifies a change (a random UUID): the server makes it once. Choose it yourself if the same change may be sent by
   * another call, for example after a reload.
   */
  idempotency_key?: string | undefined;
  /** Further headers, such as `if-match`. */
  headers?: Record<string, string> | undefined;
}

/** The parameters in the path of a route, in their order. */
type PathArguments<P extends string> = P extends `${string}{${string}}${infer Rest}`
  ? [id: string, ...PathArguments<Rest>]
  : [];

/** The input may be left out if it is empty, or if all its members may. */
type InputArguments<I> = [I] extends [Record<string, never>] ? OptionalInput<I>
  : Record<never, never> extends I ? OptionalInput<I>
  : [input: I, options?: CallOptions];

type OptionalInput<I> = [input?: I, options?: CallOptions];

/** The method that calls a route. */
export type Method<R extends RouteName, C extends Caller = "user"> = (
  ...args: [...PathArguments<R>, ...InputArguments<Input<R, C>>]
) => Call<Answer<R>, Code<R>>;

/** Names of methods, in groups, and the routes that they call. */
export interface RouteTable {
  readonly [name: string]: RouteName | RouteTable;
}

/** The methods of a table of routes. */
export type Methods<T, C extends Caller> = {
  readonly [Name in keyof T]: T[Name] extends RouteName ? Method<T[Name], C>
    : Methods<T[Name], C>;
};

/**
 * Devices of one user, each with a client of supabase-js and a store of its own.
 *
 * @module
 */

import assert from "node:assert/strict";

import { createClient } from "@supabase/supabase-js";

import { stack, type TestUser } from "../../supabase/functions/_testing/testing.ts";
import { Chats, type ChatsOptions } from "../chats.ts";

/**
 * A device where a user is signed in.
 *
 * @param user who has signed up
 * @param options of the `Chats`, and the `fetch` that it goes through
 */
export function device(
  user: TestUser,
  { fetch, ...options }: ChatsOptions & { fetch?: typeof globalThis.fetch } = {},
): Chats {
  const supabase = createClient(stack.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(user.token),
    ...(fetch && { global: { fetch } }),
  });
  return new Chats(supabase, user.id, options);
}

/** The error that something ends with; it must be of this class, and have this code. */
export async function rejection<T extends Error>(
  promise: Promise<unknown>,
  type: new (...args: never[]) => T,
  code?: string,
): Promise<T> {
  const error = await promise.then(() => undefined, (error: unknown) => error);
  assert.ok(error instanceof type, `${error}`);
  if (code !== undefined) assert.equal("code" in error ? error.code : undefined, code);
  return error;
}

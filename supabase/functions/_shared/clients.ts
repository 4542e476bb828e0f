/**
 * The supabase-js clients of a function.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";

import { createAdminClient, createContextClient } from "@supabase/server/core";
import type { SupabaseClient } from "@supabase/supabase-js";

import type { Database } from "./database.types.ts";
import { projectEnvironment } from "./env.ts";
import { DATABASE_TIMEOUT_MS } from "./rpc.ts";

const supabaseOptions = { db: { timeout: DATABASE_TIMEOUT_MS } };

/** Header in which a function tells the database for which user it acts. It counts from the service alone. */
const COUNTED_USER = "x-counted-user";

/** The user whose request is being served, until a call to the database has counted it. */
const uncounted = new AsyncLocalStorage<{ user: string | undefined }>();

/**
 * Serves the request of a user: the first call to the database with a secret key counts it against the user's limit.
 *
 * @param user The user's id.
 * @param serve Serves the request.
 */
export function countFor<T>(user: string, serve: () => Promise<T>): Promise<T> {
  return uncounted.run({ user }, serve);
}

/** Calls with a secret key. supabase-js passes headers that are this call's own. */
function fetchCounted(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = uncounted.getStore();
  if (request?.user !== undefined && init?.headers instanceof Headers && isChange(input, init)) {
    init.headers.set(COUNTED_USER, request.user);
    request.user = undefined;
  }
  return fetch(input, init);
}

/** PostgREST runs reads in transactions that cannot count. Storage counts nothing. */
function isChange(input: RequestInfo | URL, { method }: RequestInit): boolean {
  return method !== "GET" && method !== "HEAD" && String(input).includes("/rest/v1/");
}

const admins = new Map<string, SupabaseClient<Database>>();

/**
 * The client with a secret key. All requests share it: it has no session, and no caller can change it.
 *
 * @param keyName Name of the key. Default: `default`.
 */
export function adminClient(keyName?: string | null): SupabaseClient<Database> {
  const name = keyName ?? "default";
  let client = admins.get(name);
  if (!client) {
    const env = projectEnvironment();
    client = createAdminClient<Database>({
      auth: { keyName: name },
      env,
      supabaseOptions: { ...supabaseOptions, global: { fetch: fetchCounted } },
    });
    admins.set(name, client);
  }
  return client;
}

/**
 * Creates a client that acts as a signed-in user, or as nobody without a token. It belongs to one request.
 *
 * @param token The user's token.
 */
export function userClient(token: string | null): SupabaseClient<Database> {
  return createContextClient<Database>({
    auth: { token },
    env: projectEnvironment(),
    supabaseOptions,
  });
}

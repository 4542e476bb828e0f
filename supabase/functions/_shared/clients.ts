/**
 * The supabase-js clients of a function.
 *
 * @module
 */

import { createAdminClient, createContextClient } from "@supabase/server/core";
import type { SupabaseClient } from "@supabase/supabase-js";

import type { Database } from "./database.types.ts";
import { projectEnvironment } from "./env.ts";
import { DATABASE_TIMEOUT_MS } from "./rpc.ts";

const supabaseOptions = { db: { timeout: DATABASE_TIMEOUT_MS } };

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
    client = createAdminClient<Database>({ auth: { keyName: name }, env, supabaseOptions });
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

/**
 * For the adapters' tests: `@supabase/lite` without adapters, on the database of the run. Each test shows that
 * the stack behaves like the platform, and that `@supabase/lite` alone still does not. When that second part
 * fails, the adapter is no longer needed.
 *
 * @module
 */

import type { EmailMessage } from "@supabase/lite";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";

import { stack } from "../../supabase/functions/_testing/testing.ts";
import { readKeys } from "../keys.ts";
import { startLite } from "../lite.ts";
import { readOptions } from "../options.ts";

/** `@supabase/lite` without adapters. */
export interface RawLite {
  fetch(request: Request): Promise<Response>;
  /** Creates a supabase-js client that calls it directly. */
  client(key: string): SupabaseClient;
  /** The e-mails that it has sent. */
  mails: EmailMessage[];
}

/**
 * Starts `@supabase/lite` without adapters for the duration of `run`.
 *
 * @param run Uses it. Receives the SQLSTATE with which its first request failed, if any.
 */
export async function withRawLite<T>(
  run: (lite: RawLite, firstError?: string) => Promise<T>,
): Promise<T> {
  const { config } = await readOptions();
  const keys = await readKeys(stack.dir);
  const mails: EmailMessage[] = [];
  const lite = await startLite({
    access: { port: Number(new URL(stack.dbUrl).port), password: keys.databasePassword },
    keys,
    config,
    dir: stack.dir,
    apiUrl: stack.url,
    mails: { send: (mail) => Promise.resolve(void mails.push(mail)) },
    adapted: false,
  });
  const fetchLite = (input: RequestInfo | URL, init?: RequestInit) =>
    lite.fetch(new Request(input, init));
  const { error } = console;
  // It prints the errors that it returns.
  console.error = () => {};
  const raw: RawLite = {
    mails,
    fetch: (request) => lite.fetch(request),
    client: (key) =>
      createClient(stack.url, key, {
        global: { fetch: fetchLite },
        auth: { persistSession: false, autoRefreshToken: false },
      }),
  };
  try {
    // Its first request tries to make its grants and fails: see blanket_grants.ts.
    const { error } = await raw.client(stack.secretKey).from("profiles").select("id").limit(1);
    return await run(raw, error?.code);
  } finally {
    console.error = error;
    await lite.close();
  }
}

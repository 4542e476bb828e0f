/**
 * Runs the project's functions with any keys and any environment, for tests of what they do with them.
 *
 * @module
 */

import { SignJWT } from "jose";

import { FUNCTIONS_DIR, startFunctions } from "./functions.ts";
import type { StackKeys } from "./keys.ts";

/** Keys of a project, all of them named after it. */
export function keysOf(project: string): StackKeys {
  return {
    jwtSecret: `the secret of ${project}, which signs session tokens`,
    jwtKid: project,
    publishableKey: `sb_publishable_${project}`,
    secretKeys: { default: `sb_secret_${project}`, cron: `sb_secret_${project}_cron` },
    databasePassword: "p",
  };
}

/**
 * A session token as Auth issues it.
 *
 * @param id The id of the user.
 * @param keys What signs it. Without `jwtKid`, the token names no key.
 * @param lifetime Until when it is valid.
 * @param claims More claims, or other ones.
 */
export function tokenOf(
  id: string,
  { jwtSecret, jwtKid }: { jwtSecret: string; jwtKid?: string },
  lifetime = "1h",
  claims: Record<string, unknown> = {},
): Promise<string> {
  return new SignJWT({ sub: id, aud: "authenticated", role: "authenticated", ...claims })
    .setProtectedHeader({ alg: "HS256", ...(jwtKid !== undefined && { kid: jwtKid }) })
    .setExpirationTime(lifetime)
    .sign(new TextEncoder().encode(jwtSecret));
}

/** The running functions, and what they said. */
export interface Fixture {
  /** Sends a request and returns the status of the response. */
  ask(path: string, headers: Record<string, string>, body?: unknown): Promise<number>;
  /** Sends a request and returns the status and the code of the response. */
  answer(path: string, headers: Record<string, string>, body?: unknown): Promise<unknown[]>;
  /** What the functions have logged. */
  logged(): string;
  /** The credentials of the calls that the database received since it was asked last. */
  received(): { apikey: string | null; authorization: string | null }[];
}

/** Runs the project's functions with these keys. The database is played: it notes who calls. */
export async function withKeys(
  keys: StackKeys,
  run: (fixture: Fixture) => Promise<void>,
  environment: Record<string, string> = {},
): Promise<void> {
  const lines: string[] = [];
  let calls: { apikey: string | null; authorization: string | null }[] = [];
  const database = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    ({ headers }) => {
      calls.push({ apikey: headers.get("apikey"), authorization: headers.get("authorization") });
      return Response.json([{}]);
    },
  );
  const functions = await startFunctions({
    dir: FUNCTIONS_DIR,
    apiUrl: `http://127.0.0.1:${database.addr.port}`,
    access: { port: 2, password: "p" },
    keys,
    deno: Deno.env.get("STACK_DENO") ?? Deno.execPath(),
    log: (line) => lines.push(line),
    watch: false,
    environment,
  });
  const send = (path: string, headers: Record<string, string>, body?: unknown) =>
    functions.fetch(
      new Request(`http://127.0.0.1:1/${path}`, {
        headers,
        ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
      }),
    );
  try {
    await run({
      async ask(path, headers, body) {
        const response = await send(path, headers, body);
        await response.body?.cancel();
        return response.status;
      },
      async answer(path, headers, body) {
        const response = await send(path, headers, body);
        return [response.status, (await response.json()).code];
      },
      logged: () => lines.join("\n"),
      received() {
        const received = calls;
        calls = [];
        return received;
      },
    });
  } finally {
    await functions.stop();
    await database.shutdown();
  }
}

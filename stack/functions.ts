/**
 * Runs the Edge Functions in a separate process, with the permissions and the environment that the platform
 * gives them.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";

import { StackFailure } from "./failure.ts";
import { type StackKeys, toJwks } from "./keys.ts";
import { PROJECT_DIR } from "./options.ts";
import { type DatabaseAccess, databaseUrl } from "./postgres.ts";
import { LOCAL_WEBHOOK_SECRETS } from "./webhook_secrets.ts";

/** Folder of the project's Edge Functions. */
export const FUNCTIONS_DIR: string = `${PROJECT_DIR}/supabase/functions`;

/** Only the import map, without other configuration. */
const AS_ON_THE_PLATFORM = [
  "--quiet",
  "--no-config",
  "--no-lock",
  "--node-modules-dir=none",
  `--import-map=${PROJECT_DIR}/import_map.json`,
];

/** How to run the functions. */
export interface FunctionsOptions {
  /** Folder with a folder for each Edge Function. */
  dir: string;
  apiUrl: string;
  access: DatabaseAccess;
  keys: StackKeys;
  /** Path of the Deno executable that runs them. */
  deno: string;
  /** Receives each line that a function logs. */
  log: (line: string) => void;
  /** Whether to restart them when a source file changes. */
  watch: boolean;
  /** Variables in place of those that the platform would give them. */
  environment?: Record<string, string>;
}

/** The running functions. */
export interface Functions {
  /** Whether an Edge Function with this name exists. */
  exists(name: string): Promise<boolean>;
  /** Passes on a request whose path begins with the function's name. */
  fetch(request: Request): Promise<Response>;
  /** Kills the process without warning. The next request starts another one. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

interface Host {
  child: Deno.ChildProcess;
  /** The port, once the process listens on it. */
  port: Promise<number>;
}

/** Starts the functions' process. */
export async function startFunctions(options: FunctionsOptions): Promise<Functions> {
  const environment = {
    ...platformEnvironment(options),
    ...await readSecrets(options.dir),
    ...options.environment,
  };
  let host: Host | undefined;
  let stopped = false;

  const current = (): Host => {
    if (host) return host;
    const spawned = spawnHost(options, environment);
    spawned.child.status.then(() => {
      if (host === spawned) host = undefined;
    });
    return host = spawned;
  };
  const kill = async () => {
    const dying = host;
    host = undefined;
    if (!dying) return;
    dying.child.kill("SIGKILL");
    await dying.child.status;
  };

  try {
    const problem = await loadSources(options);
    if (problem) options.log(problem);
    await current().port;
  } catch (cause) {
    throw new StackFailure(
      `Cannot run the functions with ${options.deno}: ${
        cause instanceof Error ? cause.message : cause
      }`,
      "Set STACK_DENO to the path of a Deno executable, or unset it.",
      { cause },
    );
  }
  const reload = async () => {
    await kill();
    const problem = await loadSources(options);
    options.log(problem ?? "Functions reloaded");
  };
  const watcher = options.watch ? watchSources(options.dir, reload) : undefined;

  return {
    async exists(name) {
      if (!/^[A-Za-z][\w-]*$/.test(name)) return false;
      const file = await Deno.stat(`${options.dir}/${name}/index.ts`).catch(() => undefined);
      return file?.isFile ?? false;
    },
    async fetch(request) {
      if (stopped) return unavailable("The stack is stopping");
      try {
        const port = await current().port;
        const { pathname, search } = new URL(request.url);
        const headers = new Headers(request.headers);
        headers.delete("host");
        return await fetch(`http://127.0.0.1:${port}${pathname}${search}`, {
          method: request.method,
          headers,
          body: request.body,
          redirect: "manual",
        });
      } catch (error) {
        // The process died during the request, as a worker on the platform does when it exceeds its
        // limits. Whether the request had an effect is unknown.
        return unavailable(`The process of the functions ended: ${error}`);
      }
    },
    kill,
    async stop() {
      stopped = true;
      watcher?.close();
      await kill();
    },
  };
}

/**
 * Makes Deno parse the functions and fetch what they import, so that the first request does not have to. Functions that can
 * be loaded work even if others cannot.
 *
 * @returns What cannot be parsed or fetched, if anything.
 */
async function loadSources(options: FunctionsOptions): Promise<string | undefined> {
  const entries = [...Deno.readDirSync(options.dir)]
    .filter((entry) => entry.isDirectory && !entry.name.startsWith("_"))
    .map((entry) => `${options.dir}/${entry.name}/index.ts`)
    .filter((entry) => existsSync(entry));
  if (entries.length === 0) return undefined;
  const { stderr } = await new Deno.Command(options.deno, {
    args: ["cache", ...AS_ON_THE_PLATFORM, ...entries],
    env: { NO_COLOR: "1" },
  }).output();
  return new TextDecoder().decode(stderr).trim() || undefined;
}

function unavailable(message: string): Response {
  return Response.json({ code: "WORKER_ERROR", message }, {
    status: 502,
    headers: { "access-control-allow-origin": "*" },
  });
}

function spawnHost(options: FunctionsOptions, environment: Record<string, string>): Host {
  const child = new Deno.Command(options.deno, {
    args: [
      "run",
      ...AS_ON_THE_PLATFORM,
      "--no-prompt",
      "--allow-net",
      "--allow-env",
      `--allow-read=${options.dir}`,
      fileURLToPath(new URL("functions_host.ts", import.meta.url)),
      options.dir,
    ],
    env: environment,
    clearEnv: true,
    cwd: options.dir,
    // A Ctrl-C in the terminal must not interrupt requests that the stack still waits for.
    detached: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();

  const port = new Promise<number>((resolve, reject) => {
    readLines(child.stdout, (line) => {
      const listening = line.match(/^\{"listening":(\d+)\}$/)?.[1];
      if (listening) resolve(Number(listening));
      else options.log(line);
    });
    child.status.then(() => reject(new Error("it could not be started")));
  });
  // A caller that waits for the port gets the error. Without one, it must not be unhandled.
  port.catch(() => {});
  readLines(child.stderr, options.log);
  return { child, port };
}

async function readLines(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  take: (line: string) => void,
): Promise<void> {
  const input = Readable.fromWeb(stream as NodeReadableStream);
  for await (const line of createInterface({ input })) take(line);
}

/** What the platform sets for every function. */
function platformEnvironment(options: FunctionsOptions): Record<string, string> {
  const { keys } = options;
  return {
    ...denoEnvironment(/^(HOME|PATH|DENO_DIR|XDG_CACHE_HOME|.*CERT.*)$/),
    SUPABASE_URL: options.apiUrl,
    // Former names, which the platform still sets.
    SUPABASE_ANON_KEY: keys.publishableKey,
    SUPABASE_SERVICE_ROLE_KEY: keys.secretKeys.default,
    SUPABASE_DB_URL: databaseUrl(options.access, "postgres"),
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: keys.publishableKey }),
    SUPABASE_SECRET_KEYS: JSON.stringify(keys.secretKeys),
    SUPABASE_JWKS: JSON.stringify(toJwks(keys)),
    DENO_NO_UPDATE_CHECK: "1",
    DO_NOT_TRACK: "1",
    NO_COLOR: "1",
  };
}

/** The variables of this process that Deno itself needs. */
function denoEnvironment(wanted: RegExp): Record<string, string> {
  return Object.fromEntries(
    Object.entries(Deno.env.toObject()).filter(([name]) => wanted.test(name)),
  );
}

/**
 * Reads the secrets of local functions: those of webhooks, and those in the `.env` file that the Supabase CLI reads
 * too.
 *
 * @param dir Folder of the Edge Functions.
 */
export async function readSecrets(dir: string): Promise<Record<string, string>> {
  const text = await Deno.readTextFile(`${dir}/.env`).catch(() => "");
  return { ...LOCAL_WEBHOOK_SECRETS, ...parseEnv(text) as Record<string, string> };
}

function watchSources(dir: string, reload: () => Promise<void>): Deno.FsWatcher {
  const watcher = Deno.watchFs(dir);
  (async () => {
    let pending: ReturnType<typeof setTimeout> | undefined;
    for await (const { kind, paths } of watcher) {
      const source = paths.some((path) => /\.(ts|json)$/.test(path) && !/_test\.ts$/.test(path));
      if (kind === "access" || !source) continue;
      clearTimeout(pending);
      // Waits, because editors write a file in several steps.
      pending = setTimeout(reload, 50);
    }
  })();
  return watcher;
}

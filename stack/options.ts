/**
 * The folder and ports of a stack, from the environment and `supabase/config.toml`.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { resolve } from "node:path";
import { parse } from "smol-toml";

import { StackFailure } from "./failure.ts";

/** Root of the checkout. */
export const PROJECT_DIR: string = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** The parts of `supabase/config.toml` that the local stack reads. */
export interface ProjectConfig {
  api: { port: number; schemas: string[]; max_rows: number };
  db: { port: number; seed?: { enabled?: boolean; sql_paths?: string[] } };
  local_smtp?: { enabled?: boolean; port?: number };
  auth: Record<string, unknown>;
  storage: Record<string, unknown>;
  functions: Record<string, { verify_jwt?: boolean }>;
}

/** The port of the Supabase CLI. */
const MAIL_PORT = 54324;

/** One stack: its folder, ports and the Deno that runs its functions. */
export interface StackOptions {
  /** Folder for data, keys, logs and the env file. */
  dir: string;
  /** Port of the API on 127.0.0.1. */
  apiPort: number;
  /** Port of PostgreSQL on 127.0.0.1. */
  dbPort: number;
  /** Port on 127.0.0.1 on which e-mails can be read. */
  mailPort: number;
  /** Path of the Deno executable for the functions' process. */
  functionsDeno: string;
  /** Whether `deno task start` runs cleanup jobs on their schedule. */
  schedule: boolean;
  config: ProjectConfig;
}

/**
 * Reads the options of a stack.
 *
 * `STACK_DIR` (default `.stack` in the checkout), `STACK_API_PORT`, `STACK_DB_PORT` and `STACK_MAIL_PORT` (default: the ports
 * in `config.toml`), `STACK_DENO` (default: the Deno that runs this) and `STACK_SCHEDULER` (`off`, or `on` by default)
 * override the defaults.
 *
 * @throws {StackFailure} if a port is not valid or `config.toml` cannot be read.
 */
export async function readOptions(): Promise<StackOptions> {
  const config = await readConfig();
  const options = {
    dir: resolve(Deno.env.get("STACK_DIR") || `${PROJECT_DIR}/.stack`),
    apiPort: portFromEnv("STACK_API_PORT") ?? config.api.port,
    dbPort: portFromEnv("STACK_DB_PORT") ?? config.db.port,
    mailPort: portFromEnv("STACK_MAIL_PORT") ?? config.local_smtp?.port ?? MAIL_PORT,
    functionsDeno: Deno.env.get("STACK_DENO") || Deno.execPath(),
    schedule: switchFromEnv("STACK_SCHEDULER"),
    config,
  };
  const { apiPort, dbPort, mailPort } = options;
  if (new Set([apiPort, dbPort, mailPort]).size < 3) {
    throw new StackFailure(
      `The API (${apiPort}), the database (${dbPort}) and the e-mails (${mailPort}) need three different ports`,
      "Set STACK_API_PORT, STACK_DB_PORT and STACK_MAIL_PORT to different ports.",
    );
  }
  return options;
}

async function readConfig(): Promise<ProjectConfig> {
  const path = `${PROJECT_DIR}/supabase/config.toml`;
  try {
    return parse(await Deno.readTextFile(path)) as unknown as ProjectConfig;
  } catch (cause) {
    throw new StackFailure(
      `Cannot read supabase/config.toml: ${String(cause).split("\n")[0]}`,
      "Fix the file, or restore it with: git restore supabase/config.toml",
      { cause },
    );
  }
}

function portFromEnv(name: string): number | undefined {
  const text = Deno.env.get(name);
  if (!text) return undefined;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new StackFailure(
      `${name} is "${text}", which is not a port`,
      "Set it to a number from 1 to 65535.",
    );
  }
  return port;
}

function switchFromEnv(name: string): boolean {
  const text = Deno.env.get(name) || "on";
  if (text !== "on" && text !== "off") {
    throw new StackFailure(
      `${name} is "${text}", which is neither on nor off`,
      "Set it to on or off.",
    );
  }
  return text === "on";
}

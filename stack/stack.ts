/**
 * A whole stack: PostgreSQL, REST, Auth, Storage, Realtime and the Edge Functions, started and stopped together.
 *
 * @module
 */

import { type Functions, FUNCTIONS_DIR, readSecrets, startFunctions } from "./functions.ts";
import { serveGateway } from "./gateway.ts";
import { readKeys, type StackKeys } from "./keys.ts";
import { keepLite } from "./kept_lite.ts";
import { acquireLock } from "./lock.ts";
import { Mailbox } from "./mail/mailbox.ts";
import { serveMails } from "./mail/server.ts";
import { applyMigrations, applySeed } from "./migrations.ts";
import type { StackOptions } from "./options.ts";
import { installPgtap } from "./pgtap.ts";
import { applyPlatform } from "./platform.ts";
import { keepPostgres } from "./kept_postgres.ts";
import { requireFreePorts } from "./ports.ts";
import {
  connect,
  type DatabaseAccess,
  databaseUrl,
  type Postgres,
  waitForPredecessor,
} from "./postgres.ts";
import { playedEnvironment, startPlayedModel } from "./played_model/server.ts";
import { startRealtime } from "./realtime/service.ts";
import { startScheduler } from "./scheduler.ts";
import { divertConsole, type Report, step } from "./progress.ts";

/** A running stack. */
export interface Stack {
  readonly apiUrl: string;
  readonly access: DatabaseAccess;
  readonly keys: StackKeys;
  readonly postgres: Postgres;
  readonly functions: Functions;
  /** The variables of the env file, and the secrets of the functions. */
  readonly environment: Record<string, string>;
  /** Stops all parts in reverse order of their start. */
  stop(): Promise<void>;
}

/** How to start a stack. */
export interface StartOptions {
  report: Report;
  /** Receives each line that the functions log. */
  log: (line: string) => void;
  /** Restart the functions when their source changes. */
  watch: boolean;
  /** Keep data if the machine crashes. */
  durable: boolean;
  /** Run cleanup jobs on their schedule. */
  schedule: boolean;
}

/**
 * Starts a stack in `options.dir`.
 *
 * @throws {StackFailure} if it cannot start. Nothing is left running then.
 */
export async function startStack(options: StackOptions, start: StartOptions): Promise<Stack> {
  const { report } = start;
  const running: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (let end = running.pop(); end; end = running.pop()) await end();
  };
  try {
    const lock = await acquireLock(options.dir);
    running.push(() => lock.release());
    divertConsole(`${options.dir}/services.log`);
    const keys = await readKeys(options.dir);
    const access = { port: options.dbPort, password: keys.databasePassword };
    const postgres = await step(report, "Starting PostgreSQL", async () => {
      await waitForPredecessor(options.dir);
      requireFreePorts({
        STACK_API_PORT: options.apiPort,
        STACK_DB_PORT: options.dbPort,
        ...(sendsMails(options) && { STACK_MAIL_PORT: options.mailPort }),
      });
      return await keepPostgres(
        { ...access, dir: options.dir, durable: start.durable },
        start.log,
      );
    });
    running.push(() => postgres.stop());
    await step(
      report,
      "Preparing the database",
      () => prepare(options, access, postgres.extensionDir, report),
    );

    const apiUrl = `http://127.0.0.1:${options.apiPort}`;
    const mails = new Mailbox();
    const lite = await step(
      report,
      "Starting REST, Auth and Storage",
      () => keepLite({ access, keys, config: options.config, dir: options.dir, apiUrl, mails }),
    );
    running.push(() => lite.close());
    if (sendsMails(options)) {
      const mailServer = serveMails(options.mailPort, mails);
      running.push(() => mailServer.stop());
    }

    const playedModel = startPlayedModel();
    running.push(() => playedModel.stop());
    const functions = await step(report, "Starting the functions", () =>
      startFunctions({
        dir: FUNCTIONS_DIR,
        apiUrl,
        access,
        keys,
        deno: options.functionsDeno,
        log: start.log,
        watch: start.watch,
        environment: playedEnvironment(playedModel),
      }));
    running.push(() => functions.stop());

    const realtime = startRealtime(access, keys);
    const gateway = serveGateway(options.apiPort, {
      lite,
      functions,
      realtime,
      keys,
      config: options.config,
    });
    running.push(() => gateway.stop());
    running.push(() => realtime.close());

    if (start.schedule) {
      const cronKey = keys.secretKeys.cron;
      const scheduler = startScheduler({ access, apiUrl, cronKey, log: start.log });
      running.push(() => scheduler.stop());
    }

    const environment = toEnvironment(options, apiUrl, access, keys);
    await writeEnvironment(options.dir, environment);
    return {
      apiUrl,
      access,
      keys,
      postgres,
      functions,
      environment: { ...await readSecrets(FUNCTIONS_DIR), ...environment },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function prepare(
  options: StackOptions,
  access: DatabaseAccess,
  extensionDir: string,
  report: Report,
): Promise<void> {
  await installPgtap(extensionDir);
  const admin = connect(access, "supabase_admin");
  try {
    await applyPlatform(admin, access.password);
  } finally {
    await admin.end();
  }
  const sql = connect(access, "postgres");
  try {
    await applyMigrations(sql, report);
    const { seed } = options.config.db;
    if (seed?.enabled) await applySeed(sql, seed.sql_paths ?? []);
  } finally {
    await sql.end();
  }
}

/** Whether e-mails can be read in a browser. */
function sendsMails({ config }: StackOptions): boolean {
  return config.local_smtp?.enabled ?? true;
}

function toEnvironment(
  options: StackOptions,
  apiUrl: string,
  access: DatabaseAccess,
  keys: StackKeys,
): Record<string, string> {
  return {
    SUPABASE_URL: apiUrl,
    SUPABASE_PUBLISHABLE_KEY: keys.publishableKey,
    SUPABASE_SECRET_KEY: keys.secretKeys.default,
    SUPABASE_CRON_KEY: keys.secretKeys.cron,
    SUPABASE_DB_URL: databaseUrl(access, "postgres"),
    SUPABASE_ADMIN_DB_URL: databaseUrl(access, "supabase_admin"),
    SUPABASE_JWT_SECRET: keys.jwtSecret,
    ...(sendsMails(options) && { SUPABASE_MAIL_URL: `http://127.0.0.1:${options.mailPort}` }),
  };
}

async function writeEnvironment(dir: string, environment: Record<string, string>): Promise<void> {
  const lines = Object.entries(environment).map(([name, value]) => `${name}=${value}\n`);
  await Deno.writeTextFile(`${dir}/env`, lines.join(""), { mode: 0o600 });
}

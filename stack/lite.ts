/**
 * REST, Auth and Storage: `@supabase/lite` on the stack's PostgreSQL.
 *
 * @module
 */

import type { App, Connection, EmailDriver } from "@supabase/lite";
import type { Sql } from "postgres";

import { quoteArgumentNames } from "./adapters/argument_names.ts";
import { keepGrants } from "./adapters/blanket_grants.ts";
import { answerDatabaseErrors } from "./adapters/database_error_status.ts";
import { createJsonMarker, markedJson, type MarkJson } from "./adapters/json_values.ts";
import { numericAsNumber } from "./adapters/numeric_as_number.ts";
import { mendLinks } from "./adapters/mail_links.ts";
import { callPreRequest, type WithinRequest } from "./adapters/pre_request.ts";
import { reloadSchemaOnNotify } from "./adapters/schema_reload.ts";
import { undoRefusedWrites } from "./adapters/storage_refused_writes.ts";
import { timestampsAsIso } from "./adapters/timestamps_as_iso.ts";
import type { StackKeys } from "./keys.ts";
import type { ProjectConfig } from "./options.ts";
import { connect, type DatabaseAccess, databaseUrl } from "./postgres.ts";
import { createApi, createPostgresConnection } from "./supabase_lite.ts";
import { within } from "./within.ts";

/** What `@supabase/lite` needs to start. */
export interface LiteOptions {
  access: DatabaseAccess;
  keys: StackKeys;
  config: ProjectConfig;
  /** Folder that contains Storage's files. */
  dir: string;
  /** Where clients reach it. */
  apiUrl: string;
  /** Takes the e-mails that Auth sends. */
  mails: EmailDriver;
  /** Whether to use the adapters. False only in the adapters' own tests. */
  adapted?: boolean;
  /** Is called whenever a connection ends, also when it is closed. */
  onConnectionLost?: () => void;
}

/** A running `@supabase/lite`. */
export interface Lite {
  fetch(request: Request): Promise<Response>;
  close(): Promise<void>;
}

/** Milliseconds that a start may take. */
const START_MS = 60_000;

/**
 * Starts `@supabase/lite` on the database. Its role, `stack_api`, owns the tables of Auth and Storage and
 * nothing in `public`.
 *
 * @throws {Error} if it cannot start, or loses a connection meanwhile. Nothing is left open then.
 */
export async function startLite(options: LiteOptions): Promise<Lite> {
  const adapted = options.adapted ?? true;
  const { promise: lost, reject: lose } = Promise.withResolvers<never>();
  lost.catch(() => {});
  const onclose = () => {
    lose(new Error("The connection to the database was lost"));
    options.onConnectionLost?.();
  };
  const connection = createPostgresConnection({
    url: databaseUrl(options.access, "stack_api"),
    postgresOptions: {
      max: 20,
      onnotice: () => {},
      // Connections then end only when they are lost or closed.
      max_lifetime: null,
      onclose,
      ...(adapted && { types: { ...numericAsNumber, ...timestampsAsIso, ...markedJson } }),
    },
  });
  const listener = connect(options.access, "supabase_admin", { onclose });
  const close = async () => {
    // Pending queries end with the server, which stops next.
    await within(1_000, Promise.all([listener.end(), connection.close()]));
  };
  try {
    // A query of a connection that is lost may never end.
    const starting = Promise.race([serve(options, connection, listener), lost]);
    const fetch = await within(START_MS, starting);
    if (!fetch) throw new Error(`REST, Auth and Storage did not start within ${START_MS / 1000} s`);
    return { fetch, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Sets the package and its adapters up, and returns what answers requests. */
async function serve(
  options: LiteOptions,
  connection: Connection,
  listener: Sql,
): Promise<Lite["fetch"]> {
  const adapted = options.adapted ?? true;
  if (adapted) {
    keepGrants(connection);
    quoteArgumentNames(connection);
    answerDatabaseErrors(connection);
  }

  // The package's command-line API sets up the file-system storage, relative to the working folder. It
  // takes its configuration from a file, which the project's configuration replaces here.
  const mailLinks = mendLinks(options.mails, options.apiUrl);
  const api = await createApi({
    root: options.dir,
    withSupabaseClient: false,
    authStorage: NO_LOGIN as unknown as AuthStorage,
  });
  const { local } = api.project;
  local.getConfig = () =>
    Promise.resolve({
      connection,
      api: options.config.api,
      auth: { ...options.config.auth, jwt_secret: options.keys.jwtSecret },
      storage: options.config.storage,
      options: {
        drivers: { email: adapted ? mailLinks.driver : options.mails },
        server: {
          disableStudio: true,
          admin: false,
          apiKeys: { resolver: (key: string) => Promise.resolve(resolveKey(key, options.keys)) },
        },
      },
    } as unknown as Awaited<ReturnType<typeof local.getConfig>>);
  const app: App = await inDirectory(options.dir, () => local.createApp());

  let asRequest: WithinRequest = (_request, run) => run();
  let markJson: MarkJson = (request) => Promise.resolve(request);
  if (adapted) {
    await reloadSchemaOnNotify(connection, listener);
    asRequest = await callPreRequest(connection, listener);
    markJson = await createJsonMarker(listener);
  }

  const answer = async (request: Request) => await app.fetch(request);
  const adaptedAnswer = adapted ? undoRefusedWrites(app, answer) : answer;
  return async (request) => {
    const marked = await markJson(request);
    return await mailLinks.withinRequest(
      marked,
      () => asRequest(marked, () => adaptedAnswer(marked)),
    );
  };
}

type AuthStorage = NonNullable<NonNullable<Parameters<typeof createApi>[0]>["authStorage"]>;

/** Replaces its login to a cloud service, which would create a folder in the user's home. */
const NO_LOGIN = {
  getItem: () => Promise.resolve(null),
  setItem: () => Promise.resolve(),
  removeItem: () => Promise.resolve(),
};

function resolveKey(key: string, keys: StackKeys) {
  if (key === keys.publishableKey) {
    return { type: "publishable" as const, claims: { role: "anon" } };
  }
  if (Object.values(keys.secretKeys).includes(key)) {
    return { type: "secret" as const, claims: { role: "service_role" } };
  }
  return null;
}

async function inDirectory<T>(dir: string, run: () => Promise<T>): Promise<T> {
  const before = Deno.cwd();
  Deno.chdir(dir);
  try {
    return await run();
  } finally {
    Deno.chdir(before);
  }
}

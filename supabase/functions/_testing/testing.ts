/**
 * Helpers for the tests of functions and of the stack: the running stack, users and a database
 * connection. Only `deno task test` sets the environment that they need.
 *
 * @module
 */

import {
  createClient,
  type FunctionInvokeOptions,
  FunctionsHttpError,
  type PostgrestSingleResponse,
  type SupabaseClient,
} from "@supabase/supabase-js";
import postgres from "postgres";

import type { Database } from "../_shared/database.types.ts";
import { fetchChecked, takeMismatches } from "./answers.ts";

/** The stack that the tests run on. */
export interface TestStack {
  url: string;
  publishableKey: string;
  secretKey: string;
  cronKey: string;
  /** URL of the database as `postgres`, the role that runs migrations. */
  dbUrl: string;
  /** URL of the e-mails that Auth sends. */
  mailUrl: string;
  /** URL of the database as superuser. */
  adminDbUrl: string;
  /** The secret that session tokens are signed with. */
  jwtSecret: string;
  /** Folder of the stack, with keys and logs. */
  dir: string;
}

/** A user who has signed up. */
export interface TestUser {
  id: string;
  email: string;
  token: string;
  client: SupabaseClient<Database>;
}

/**
 * Describes a stack from its environment variables.
 *
 * @param environment The variables in its env file.
 * @param dir Its folder.
 */
export function stackOf(environment: Record<string, string | undefined>, dir: string): TestStack {
  const variable = (name: string) => required(name, environment);
  return {
    url: variable("SUPABASE_URL"),
    publishableKey: variable("SUPABASE_PUBLISHABLE_KEY"),
    secretKey: variable("SUPABASE_SECRET_KEY"),
    cronKey: variable("SUPABASE_CRON_KEY"),
    dbUrl: variable("SUPABASE_DB_URL"),
    adminDbUrl: variable("SUPABASE_ADMIN_DB_URL"),
    mailUrl: variable("SUPABASE_MAIL_URL"),
    jwtSecret: variable("SUPABASE_JWT_SECRET"),
    dir,
  };
}

/** The stack of this run. */
export const stack: TestStack = stackOf(Deno.env.toObject(), required("STACK_TEST_DIR"));

/** Base URL of the Edge Functions. */
export const functionsUrl = `${stack.url}/functions/v1`;

/**
 * Multiplies the length of tests that can run longer: property tests run more sequences, load tests take more time.
 * From `SOAK`; default 1.
 */
export const soak: number = Number(Deno.env.get("SOAK") ?? "1");

/**
 * Registers a test. It also fails if a response of a function differs from its OpenAPI document. If it fails, the
 * message includes what the functions logged during the test.
 *
 * @param name Subject, then criterion: `POST /credits/deduct charges the price in force`.
 * @param run The test.
 */
export function test(name: string, run: () => Promise<void> | void): void {
  Deno.test(name, async () => {
    const log = `${stack.dir}/functions.log`;
    const before = (await Deno.stat(log)).size;
    takeMismatches();
    let mismatches: string[] = [];
    try {
      await run();
      mismatches = takeMismatches();
      if (mismatches.length > 0) throw new Error("Responses differ from their OpenAPI documents");
    } catch (error) {
      mismatches.push(...takeMismatches());
      const lines = new TextDecoder().decode((await Deno.readFile(log)).subarray(before));
      // In the message, because the runner hides what a test prints.
      if (error instanceof Error) {
        error.message += [...new Set(mismatches)].map((mismatch) => `\n${mismatch}`).join("");
        if (lines) error.message += `\nThe functions logged:\n${lines}`;
      }
      throw error;
    }
  });
}

/** A supabase-js client with the publishable key and no user, as in a browser before sign-in. */
export function anonymousClient(of: TestStack = stack): SupabaseClient<Database> {
  return createClient<Database>(of.url, of.publishableKey, clientOptions);
}

/** A supabase-js client with the secret key, as on a server. */
export function serviceClient(of: TestStack = stack): SupabaseClient<Database> {
  return createClient<Database>(of.url, of.secretKey, clientOptions);
}

/** A supabase-js client with the secret key named `cron`, as the scheduler uses it. */
export function cronClient(): SupabaseClient<Database> {
  return createClient<Database>(stack.url, stack.cronKey, clientOptions);
}

/** The password of every user. */
export const PASSWORD = "correct horse battery";

/** Signs up a new user through the Auth API. */
export async function signUp(
  of: TestStack = stack,
  email = `${crypto.randomUUID()}@example.com`,
): Promise<TestUser> {
  const client = anonymousClient(of);
  const { data, error } = await client.auth.signUp({ email, password: PASSWORD });
  if (error) throw error;
  const { user, session } = data;
  if (!user || !session) throw new Error("Sign-up returned no session");
  return { id: user.id, email, token: session.access_token, client };
}

/** A response of a function, whatever its status. */
export interface Answer {
  status: number;
  headers: Headers;
  // deno-lint-ignore no-explicit-any -- each test asserts what it expects
  body: any;
}

/**
 * Calls a function through supabase-js, as an app does.
 *
 * @param client Client of the caller.
 * @param path Function and route: `credits/deduct`.
 * @param options Options of `functions.invoke()`. With a body, the method is POST.
 */
export async function invoke(
  client: SupabaseClient<Database>,
  path: string,
  options: FunctionInvokeOptions = {},
): Promise<Answer> {
  const { data, error, response } = await client.functions.invoke(path, {
    method: options.body === undefined ? "GET" : "POST",
    ...options,
  });
  if (!response) throw error;
  const body = error instanceof FunctionsHttpError ? await error.context.json() : data;
  return { status: response.status, headers: response.headers, body };
}

/** Creates a new sku with a price, as the service. Each test uses its own. */
export async function createPrice(price: number, quantity_scale = 0): Promise<string> {
  const sku = `test.${crypto.randomUUID()}`;
  const { error } = await serviceClient().from("credit_prices")
    .insert({ sku, unit: "one", price, quantity_scale });
  if (error) throw error;
  return sku;
}

/**
 * Runs statements on the database directly, as its owner, for what no client may do.
 *
 * @param run Receives the connection, which is closed afterwards.
 */
export async function withDatabase<T>(run: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(stack.dbUrl, { max: 1, onnotice: () => {} });
  try {
    return await run(sql);
  } finally {
    await sql.end();
  }
}

/**
 * Changes settings for the duration of `run`. Tests that send more requests a minute than an app does set
 * `requests.per_user` to 0.
 *
 * @param settings New values by name.
 * @param run The test.
 */
export async function withSettings<T>(
  settings: Record<string, number>,
  run: () => Promise<T>,
): Promise<T> {
  const set = (values: Record<string, unknown>) =>
    withDatabase((sql) =>
      sql`update private.settings as s set value = v.value::numeric
        from jsonb_each_text(${sql.json(values as postgres.JSONValue)}) as v where s.name = v.key`
    );
  const before = await withDatabase((sql) =>
    sql`select name, value from private.settings where name in ${sql(Object.keys(settings))}`
  );
  await set(settings);
  try {
    return await run();
  } finally {
    await set(Object.fromEntries(before.map(({ name, value }) => [name, value])));
  }
}

/** Far longer than anything takes, even on a busy machine. */
const PATIENCE_MS = 120_000;

/**
 * Waits until a condition is true, checking it repeatedly.
 *
 * @param condition The condition.
 * @throws if it is not true within two minutes.
 */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!await condition()) {
    if (performance.now() > deadline) {
      throw new Error(`Still not true after two minutes: ${condition}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * Calls, as the service, a function that the test has just created in the database. PostgREST learns of it a moment
 * later.
 *
 * @param name Name of a function in public without parameters.
 */
export async function callNewFunction(name: string): Promise<PostgrestSingleResponse<unknown>> {
  let answer: PostgrestSingleResponse<unknown> | undefined;
  await until(async () => {
    answer = await serviceClient().rpc(name as never) as PostgrestSingleResponse<unknown>;
    return answer.error?.code !== "PGRST202";
  });
  if (!answer) throw new Error("PostgREST did not respond");
  return answer;
}

const clientOptions = {
  global: { fetch: fetchChecked },
  auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
};

function required(
  name: string,
  environment: Record<string, string | undefined> = Deno.env.toObject(),
): string {
  const value = environment[name];
  if (value === undefined) {
    throw new Error(
      `${name} is not set: these tests run on a stack. Start them with: deno task test`,
    );
  }
  return value;
}

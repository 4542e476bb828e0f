/**
 * What the tests of functions and of the stack share: the running stack, users and a database
 * connection. Only `deno task test` sets its environment.
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
  /** The database as `postgres`, as migrations run. */
  dbUrl: string;
  /** The database as its superuser. */
  adminDbUrl: string;
  /** What session tokens are signed with. */
  jwtSecret: string;
  /** Folder of the stack: keys, logs. */
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
 * A stack, from what it says of itself.
 *
 * @param environment The variables of its env file.
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
    jwtSecret: variable("SUPABASE_JWT_SECRET"),
    dir,
  };
}

/** The stack of this run. */
export const stack: TestStack = stackOf(Deno.env.toObject(), required("STACK_TEST_DIR"));

/** Where the edge functions are. */
export const functionsUrl = `${stack.url}/functions/v1`;

/**
 * How many times its default length a long run has: property tests take more sequences, load tests last longer. From
 * `SOAK`, default 1.
 */
export const soak: number = Number(Deno.env.get("SOAK") ?? "1");

/**
 * Registers a test. It also fails when an answer of a function is not as its OpenAPI document says. When it fails, what
 * the functions logged meanwhile is printed with it.
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
      if (mismatches.length > 0) throw new Error("Answers differ from their documents");
    } catch (error) {
      mismatches.push(...takeMismatches());
      const lines = new TextDecoder().decode((await Deno.readFile(log)).subarray(before));
      // In the message: what a test prints is not shown.
      if (error instanceof Error) {
        error.message += [...new Set(mismatches)].map((mismatch) => `\n${mismatch}`).join("");
        if (lines) error.message += `\nThe functions logged:\n${lines}`;
      }
      throw error;
    }
  });
}

/** A supabase-js client with the publishable key and no user, as in a browser before signing in. */
export function anonymousClient(of: TestStack = stack): SupabaseClient<Database> {
  return createClient<Database>(of.url, of.publishableKey, clientOptions);
}

/** A supabase-js client with the secret key, as on a server. */
export function serviceClient(of: TestStack = stack): SupabaseClient<Database> {
  return createClient<Database>(of.url, of.secretKey, clientOptions);
}

/** A supabase-js client with the secret key named `cron`, as the scheduler has it. */
export function cronClient(): SupabaseClient<Database> {
  return createClient<Database>(stack.url, stack.cronKey, clientOptions);
}

/** The password of every user. */
export const PASSWORD = "correct horse battery";

/** Signs a new user up through the Auth API. */
export async function signUp(of: TestStack = stack): Promise<TestUser> {
  const client = anonymousClient(of);
  const email = `${crypto.randomUUID()}@example.com`;
  const { data, error } = await client.auth.signUp({ email, password: PASSWORD });
  if (error) throw error;
  const { user, session } = data;
  if (!user || !session) throw new Error("Sign-up gave no session");
  return { id: user.id, email, token: session.access_token, client };
}

/** An answer of a function, whatever its status. */
export interface Answer {
  status: number;
  headers: Headers;
  // deno-lint-ignore no-explicit-any -- what a test expects of it is what the test asserts
  body: any;
}

/**
 * Calls a function through supabase-js, as an app does.
 *
 * @param client Who calls.
 * @param path Function and route: `credits/deduct`.
 * @param options As `functions.invoke()` takes them; a body makes it a POST.
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

/** A new sku with a price, made by the service; each test has its own. */
export async function createPrice(price: number, quantity_scale = 0): Promise<string> {
  const sku = `test.${crypto.randomUUID()}`;
  const { error } = await serviceClient().from("credit_prices")
    .insert({ sku, unit: "one", price, quantity_scale });
  if (error) throw error;
  return sku;
}

/**
 * Runs statements on the database itself, as its owner, for what no client may do.
 *
 * @param run Gets the connection, which is closed afterwards.
 */
export async function withDatabase<T>(run: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(stack.dbUrl, { max: 1, onnotice: () => {} });
  try {
    return await run(sql);
  } finally {
    await sql.end();
  }
}

/** Far longer than anything takes, even on a busy machine. */
const PATIENCE_MS = 120_000;

/**
 * Waits until something is so, asking again and again.
 *
 * @param condition What is waited for.
 * @throws when it has not come to pass in two minutes.
 */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`It did not come to pass: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * Calls a function that the test has just made in the database, as the service; PostgREST hears of it a
 * moment later.
 *
 * @param name Name of a function in public without parameters.
 */
export async function callNewFunction(name: string): Promise<PostgrestSingleResponse<unknown>> {
  let answer: PostgrestSingleResponse<unknown> | undefined;
  await until(async () => {
    answer = await serviceClient().rpc(name as never) as PostgrestSingleResponse<unknown>;
    return answer.error?.code !== "PGRST202";
  });
  if (!answer) throw new Error("There was no answer");
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

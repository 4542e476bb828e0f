/**
 * The options of `deno task import`.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { parseArgs, parseEnv } from "node:util";

import { taskCommand } from "../stack/command.ts";
import { StackFailure } from "../stack/failure.ts";
import { PROJECT_DIR } from "../stack/options.ts";
import { PRODUCTS } from "./products.ts";
import type { Product } from "./product.ts";

/** What to print for `--help`. */
export const HELP = `Moves a product in: copies its database and its files into this one.

  ${taskCommand("import")} --product NAME --from URL|FOLDER [OPTIONS]

Products: ${Object.keys(PRODUCTS).join(", ")}. docs/moving-in.md describes each.

  --from URL|FOLDER     the product's database, or a folder of CSV files
  --to URL              the database to copy into, as its owner postgres; default: the local stack
  --check               only report what does not fit, and change nothing
  --leave-out           copy what fits, and leave out what does not
  --again               read all rows again, also those that an earlier import has copied
  --storage URL         the URL of the product's API; SOURCE_SECRET_KEY must have its secret key
  --no-objects          do not copy the files in Storage
  --balance TABLE.COLUMN  where the old credit balances are, if not where the documents say
  --rate NUMBER         credits for 1 of the old balance; default: 1
  --batch NUMBER        the most rows in a transaction; default: 2000
  --report FILE         also write the report as JSON

Files are copied to SUPABASE_URL with SUPABASE_SECRET_KEY; default: the local stack. An import that was
interrupted continues when the same command is given again.
`;

/** What to import, and how. */
export interface ImportOptions {
  product: Product;
  from: string;
  to: string;
  check: boolean;
  leaveOut: boolean;
  again: boolean;
  objects: boolean;
  /** The Storage of the product: its API, or undefined for the folder of files. */
  fromStorage: StorageAccess | undefined;
  toStorage: StorageAccess | undefined;
  rate: number;
  batchSize: number;
  reportFile: string | undefined;
}

/** How to reach the Storage of a project. */
export interface StorageAccess {
  url: string;
  secretKey: string;
}

/**
 * Reads the options.
 *
 * @param args The arguments.
 * @param environment Environment variables.
 * @throws {StackFailure} if they are wrong.
 */
export function readImportOptions(
  args: string[],
  environment: Record<string, string | undefined>,
): ImportOptions {
  const values = parse(args);
  const product = PRODUCTS[values.product ?? ""];
  if (!product) {
    fail(
      values.product ? `There is no product "${values.product}"` : "The product is missing",
      `Add --product with one of: ${Object.keys(PRODUCTS).join(", ")}.`,
    );
  }
  const { from } = values;
  if (!from) fail("The source is missing", "Add --from with the URL of a database or a folder.");
  if (isDatabaseUrl(from)) checkUrl("--from", from);
  const local = localStack(environment);
  const variable = (name: string) => environment[name] ?? local[name];
  const to = values.to ?? variable("SUPABASE_DB_URL");
  if (!to) {
    fail(
      "There is no database to copy into",
      `Add --to with its URL, or start the local stack with: ${taskCommand("start")}`,
    );
  }
  checkUrl("--to", to);
  return {
    product: withBalance(product, values.balance),
    from,
    to,
    check: values.check,
    leaveOut: values["leave-out"],
    again: values.again,
    objects: !values["no-objects"],
    fromStorage: access(values.storage, environment.SOURCE_SECRET_KEY),
    toStorage: access(variable("SUPABASE_URL"), variable("SUPABASE_SECRET_KEY")),
    rate: positive("--rate", values.rate ?? "1"),
    batchSize: Math.ceil(positive("--batch", values.batch ?? "2000")),
    reportFile: values.report,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        product: { type: "string" },
        from: { type: "string" },
        to: { type: "string" },
        check: { type: "boolean", default: false },
        "leave-out": { type: "boolean", default: false },
        again: { type: "boolean", default: false },
        storage: { type: "string" },
        "no-objects": { type: "boolean", default: false },
        balance: { type: "string" },
        rate: { type: "string" },
        batch: { type: "string" },
        report: { type: "string" },
      },
    }).values;
  } catch (cause) {
    return fail(
      (cause as Error).message.split(". ")[0] ?? "",
      `See: ${taskCommand("import --help")}`,
    );
  }
}

/** Whether a source is a database, and not a folder. */
export function isDatabaseUrl(from: string): boolean {
  return /^postgres(ql)?:\/\//.test(from);
}

/** The message has no part of the URL, which may have a password. */
function checkUrl(option: string, url: string): void {
  try {
    const { username, password } = new URL(url);
    decodeURIComponent(username + password);
  } catch {
    fail(
      `The URL after ${option} is not valid`,
      "It must be like postgresql://USER:PASSWORD@HOST:PORT/DATABASE. Percent-encode special characters of the password.",
    );
  }
}

function localStack(environment: Record<string, string | undefined>): Record<string, string> {
  const path = `${environment.STACK_DIR || `${PROJECT_DIR}/.stack`}/env`;
  return existsSync(path) ? parseEnv(Deno.readTextFileSync(path)) as Record<string, string> : {};
}

function access(url: string | undefined, secretKey: string | undefined): StorageAccess | undefined {
  return url && secretKey ? { url, secretKey } : undefined;
}

function withBalance(product: Product, balance: string | undefined): Product {
  if (!balance) return product;
  const [table = "", column = ""] = balance.split(".");
  if (!/^[a-z_]+$/.test(table) || !/^[a-z_]+$/.test(column)) {
    fail(`--balance is "${balance}"`, "Give it a table and a column: user_credits.balance");
  }
  const steps = product.steps.filter(({ kind }) => kind !== "credits");
  return {
    ...product,
    balance: { table, column },
    steps: [...steps, { table, kind: "credits" }],
  };
}

function positive(option: string, text: string): number {
  const number = Number(text);
  if (!(number > 0 && Number.isFinite(number))) {
    fail(`${option} is "${text}"`, "Set it to a number above 0.");
  }
  return number;
}

function fail(problem: string, cure: string): never {
  throw new StackFailure(problem, cure);
}

/**
 * `deno task import`: moves a product in.
 *
 * @module
 */

import postgres from "postgres";

import { StackFailure } from "../stack/failure.ts";
import { printReport, say } from "../stack/progress.ts";
import { creditPlan } from "./credits.ts";
import { assertReachable, openDatabase } from "./database_source.ts";
import { finish } from "./finish.ts";
import { openFolder } from "./folder_source.ts";
import { checkObjects, compareObjects, copyObjects, OBJECTS, planObjects } from "./objects.ts";
import { HELP, type ImportOptions, isDatabaseUrl, readImportOptions } from "./options.ts";
import { noDelay } from "./no_delay.ts";
import { type Note, type Plan, planStep } from "./plan.ts";
import { Problems } from "./problems.ts";
import { Progress } from "./progress.ts";
import { type Report, toText } from "./report.ts";
import type { Source } from "./source.ts";
import { copyAll, type Import, tryAll } from "./steps.ts";
import { folderReader, type ReadObject, storageReader, storageWriter } from "./storage.ts";
import { compareAll } from "./verify.ts";

/**
 * Moves a product in, or checks whether it fits.
 *
 * @param options What to import, and how.
 * @returns The report.
 */
export async function importProduct(options: ImportOptions): Promise<Report> {
  const start = performance.now();
  const isDatabase = isDatabaseUrl(options.from);
  const source = isDatabase ? await openDatabase(options.from) : openFolder(options.from);
  const sql = connectTarget(options.to);
  await assertReachable(sql, "Cannot write to the database", "--to");
  const notes: Note[] = [];
  const problems = new Problems();
  try {
    const progress = new Progress(options.product.name, source.name);
    await progress.lock(sql);
    if (options.again && !options.check) await progress.forget(sql);
    const { product, batchSize, rate } = options;
    const plans = await planAll(sql, source, options, (note) => notes.push(note));
    const run: Import = {
      sql,
      source,
      product,
      plans,
      progress,
      batchSize,
      rate,
      report: printReport,
    };
    const objects = await planObjects(run);
    if (objects && !options.objects) notes.push({ table: OBJECTS, text: "The files stay behind" });
    const transfer = objects && options.objects ? transferOf(options, isDatabase) : undefined;

    const result = { product: product.name, source: source.name, notes };
    const seconds = () => (performance.now() - start) / 1000;
    const checked = !options.check && (await progress.read(sql, CHECK)).done;
    if (options.check || !checked && !options.leaveOut) {
      await tryAll(run, problems);
      if (objects && transfer) await checkObjects(run, objects, problems);
      const ok = problems.rows === 0;
      if (options.check || !ok) {
        const found = { problems: problems.list(), tables: [], seconds: seconds() };
        return { ...result, mode: "check", ok, ...found };
      }
      await progress.save(sql, CHECK, { position: undefined, rows: 0, done: true });
    }
    await copyAll(run);
    if (objects && transfer) await copyObjects(run, objects, transfer);
    await finish(run);
    await progress.refused(sql, (step, refusal) => problems.add(step, refusal));
    const tables = await compareAll(run);
    if (objects && transfer) tables.push(await compareObjects(run, objects, transfer.readHere));
    const ok = tables.every(({ equal }) => equal) && (options.leaveOut || problems.rows === 0);
    return { ...result, mode: "import", ok, problems: problems.list(), tables, seconds: seconds() };
  } finally {
    await sql.end({ timeout: 1 });
    await source.close();
  }
}

/** The step that is done when everything fits. */
const CHECK = "check";

function connectTarget(url: string): postgres.Sql {
  return postgres(url, {
    // One, because the temporary table and the lock belong to a connection.
    max: 1,
    max_lifetime: null,
    onnotice: () => {},
    ...noDelay,
    connection: {
      application_name: "strongroom import",
      statement_timeout: 0,
      idle_in_transaction_session_timeout: 0,
    },
  });
}

async function planAll(
  sql: postgres.Sql,
  source: Source,
  { product, rate }: ImportOptions,
  note: (note: Note) => void,
): Promise<Plan[]> {
  const plans: Plan[] = [];
  for (const step of product.steps) {
    const { table, kind, reason } = step;
    const plan = await planStep(
      sql,
      source,
      step,
      kind === "credits" || kind === "archive" ? () => {} : note,
    );
    if (kind === "archive") {
      if (await source.columns(table)) note({ table, text: `Its rows stay behind: ${reason}` });
    } else if (kind === "credits") {
      const columns = await source.columns(table);
      const { column = "" } = product.balance ?? {};
      if (!columns) {
        note({ table, text: "The source has no such table: there are no opening balances" });
      } else if (!columns.includes(column) || !columns.includes("user_id")) {
        throw new StackFailure(
          `The table ${table} has no column ${columns.includes("user_id") ? column : "user_id"}`,
          "Say where the balances are: --balance TABLE.COLUMN. The table also needs user_id.",
        );
      } else if (plan) plans.push(creditPlan({ product, rate }, plan));
    } else if (plan) plans.push(plan);
  }
  const known = new Set(product.steps.map(({ table }) => table));
  for (const table of await source.tables()) {
    if (!known.has(table)) note({ table, text: "No such table here: its rows stay behind" });
  }
  return plans;
}

function transferOf({ from, fromStorage, toStorage }: ImportOptions, isDatabase: boolean) {
  if (isDatabase && !fromStorage) {
    throw new StackFailure(
      "It is not known where to read the product's files in Storage",
      "Add --storage with the URL of its API and put its secret key into SOURCE_SECRET_KEY, or add --no-objects.",
    );
  }
  if (!toStorage) {
    throw new StackFailure(
      "It is not known where to write the product's files in Storage",
      "Set SUPABASE_URL and SUPABASE_SECRET_KEY to those of the project to copy into, or add --no-objects.",
    );
  }
  const read: ReadObject = fromStorage ? storageReader(fromStorage) : folderReader(from);
  return { read, write: storageWriter(toStorage), readHere: storageReader(toStorage) };
}

async function main(args: string[]): Promise<number> {
  if (args.includes("--help")) {
    say(HELP);
    return 0;
  }
  const options = readImportOptions(args, Deno.env.toObject());
  const report = await importProduct(options);
  if (options.reportFile) {
    await Deno.writeTextFile(options.reportFile, `${JSON.stringify(report, undefined, 2)}\n`);
  }
  say(`\n${toText(report)}`);
  if (!report.ok && report.problems.length > 0 && !options.leaveOut) {
    say("Correct the rows in the product, or add --leave-out to copy all others.");
  }
  return report.ok ? 0 : 1;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof StackFailure)) throw error;
    say(`${error.message}.\n${error.cure}`);
    Deno.exit(2);
  }
}

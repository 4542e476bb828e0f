/**
 * Copies the tables of a product, or tries to.
 *
 * @module
 */

import type { Sql, TransactionSql } from "postgres";

import { copyStaged, insertStatement } from "./copying.ts";
import { creditStatement, OPEN_ACCOUNTS } from "./credits.ts";
import type { Plan } from "./plan.ts";
import type { Problems } from "./problems.ts";
import type { Product } from "./product.ts";
import type { Progress } from "./progress.ts";
import type { Refusal } from "./refusals.ts";
import { type Batch, batches, type Source } from "./source.ts";
import { stage } from "./staging.ts";

/** An import. */
export interface Import {
  sql: Sql;
  source: Source;
  product: Product;
  plans: Plan[];
  progress: Progress;
  /** The most rows in a transaction. */
  batchSize: number;
  /** Credits for 1 of the old balance. */
  rate: number;
  /** Reports the rows that a step has read. */
  report: (line: string) => void;
}

/** Rows between two reports of a step. */
const REPORT_EVERY = 50_000;

/**
 * Copies all rows in one transaction, and takes it back. So it finds exactly what an import would find.
 *
 * @param run The import.
 * @param problems Receives the rows that do not fit.
 */
export async function tryAll(run: Import, problems: Problems): Promise<void> {
  class TakenBack extends Error {}
  try {
    await run.sql.begin(async (tx) => {
      await prepare(tx);
      for (const plan of run.plans) {
        const tell = teller(run, `Checking ${plan.step.table}`);
        let again = false;
        for await (const batch of batches(rowsOf(run, plan), run.batchSize)) {
          const refusals = await copyBatch(tx, run, plan, batch, again);
          again = true;
          for (const refusal of refusals) problems.add(plan.step.table, refusal);
          tell.count(batch.rows.length);
        }
        tell.end();
      }
      throw new TakenBack();
    });
  } catch (error) {
    if (!(error instanceof TakenBack)) throw error;
  }
}

/**
 * Copies all rows that were not copied before, each batch in a transaction that also saves how far the import is.
 *
 * @param run The import.
 */
export async function copyAll(run: Import): Promise<void> {
  const { sql, progress } = run;
  for (const plan of run.plans) {
    const { table } = plan.step;
    const state = await progress.read(sql, table);
    if (state.done) continue;
    const tell = teller(run, `Copying ${table}`, state.rows);
    for await (const batch of batches(rowsOf(run, plan, state.position), run.batchSize)) {
      state.position = batch.rows.at(-1)?.position;
      state.rows += batch.rows.length;
      await sql.begin(async (tx) => {
        await prepare(tx);
        await progress.refuse(tx, table, await copyBatch(tx, run, plan, batch));
        await progress.save(tx, table, state);
      });
      tell.count(batch.rows.length);
    }
    await progress.save(sql, table, { ...state, done: true });
    tell.end();
  }
}

/** Reads the rows of a step. */
export function rowsOf({ source }: Import, plan: Plan, after?: string) {
  return source.rows(plan.step.table, plan.read, plan.key, after);
}

/**
 * Begins a transaction of an import.
 *
 * @param tx The transaction.
 */
export async function prepare(tx: TransactionSql): Promise<void> {
  await tx`select set_config('strongroom.importing', 'on', true), set_config('timezone', 'UTC', true)`;
}

async function copyBatch(
  tx: TransactionSql,
  run: Import,
  plan: Plan,
  batch: Batch,
  again = false,
): Promise<Refusal[]> {
  await stage(tx, plan, batch, again);
  const { kind = "rows" } = plan.step;
  if (kind === "archive") return [];
  const statement = kind === "credits" ? creditStatement(run) : insertStatement(plan);
  const refusals = await copyStaged(tx, plan, statement);
  if (plan.target === "auth.users") await tx.unsafe(OPEN_ACCOUNTS);
  return refusals;
}

/**
 * Reports the progress of a step.
 *
 * @param run The import.
 * @param label What is being done.
 * @param before Rows that were done earlier.
 */
export function teller({ report }: Import, label: string, before = 0) {
  const start = performance.now();
  let rows = 0;
  let told = 0;
  const line = () => {
    const seconds = (performance.now() - start) / 1000;
    return `${label}: ${before + rows} rows, ${seconds.toFixed(1)} s`;
  };
  return {
    /** Counts rows. */
    count(more: number): void {
      rows += more;
      if (rows - told < REPORT_EVERY) return;
      told = rows;
      report(`${line()} ...`);
    },
    /** Reports the end. */
    end: (): void => report(line()),
  };
}

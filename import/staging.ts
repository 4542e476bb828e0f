/**
 * A temporary table with the rows of one batch, as text. Everything is converted, compared and counted in PostgreSQL,
 * from this table.
 *
 * @module
 */

import type { TransactionSql } from "postgres";

import type { Plan } from "./plan.ts";
import type { Batch } from "./source.ts";

/** The columns of the temporary table besides those of the product. */
const OWN = ["_position text", "_number integer generated always as identity"];

/**
 * Fills the temporary table `staged` with a batch. It is gone after the transaction.
 *
 * @param tx The transaction.
 * @param plan What is read.
 * @param batch The rows.
 * @param again Whether the transaction has staged another batch of the same plan. Then the table is emptied: each new one
 * would need locks until the transaction ends, and a check has thousands of batches.
 */
export async function stage(
  tx: TransactionSql,
  plan: Plan,
  batch: Batch,
  again = false,
): Promise<void> {
  if (again) await tx.unsafe("truncate pg_temp.staged restart identity");
  else await createStaged(tx, plan);
  const fields = ["_position", ...plan.read].map((name) => `"${name}"`).join(", ");
  const stream = await tx.unsafe(`copy pg_temp.staged (${fields}) from stdin`).writable();
  const ended = new Promise<void>((resolve, reject) => {
    stream.once("finish", resolve);
    stream.once("error", reject);
  });
  for (const { line } of batch.rows) {
    if (!stream.write(line)) await new Promise((resolve) => stream.once("drain", resolve));
  }
  stream.end();
  await ended;
}

async function createStaged(tx: TransactionSql, plan: Plan): Promise<void> {
  const columns = [OWN[0], ...plan.read.map((name) => `"${name}" text`), OWN[1]];
  await tx.unsafe("drop table if exists pg_temp.staged");
  await tx.unsafe(`create temporary table staged (${columns.join(", ")}) on commit drop`);
}

/** The value in a staged row of a column that identifies a row here. */
export function keyValue({ write }: Plan, column: string): string {
  return write.find((field) => field.column === column)?.value ?? "null";
}

/** Compares staged rows with the rows here that have the same key. */
export function sameKey(plan: Plan): string {
  return plan.targetKey.map((column) => `t."${column}" = ${keyValue(plan, column)}`).join(" and ");
}

/** The text of a staged row after its conversion. */
export function stagedText({ write }: Plan): string {
  return `row(${write.map(({ value }) => value).join(", ")})::text`;
}

/** The text of a row here. */
export function targetText({ write }: Plan): string {
  return `row(${write.map(({ column }) => `t."${column}"`).join(", ")})::text`;
}

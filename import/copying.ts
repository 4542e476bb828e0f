/**
 * Copies a batch. If a row does not fit, finds it, and copies the others.
 *
 * @module
 */

import type { PostgresError, TransactionSql } from "postgres";

import type { Plan } from "./plan.ts";
import { sameKey, stagedText, targetText } from "./staging.ts";
import { findProblem, isRowError, type Refusal } from "./refusals.ts";

/** What became of a batch. */
export interface Outcome {
  refusals: Refusal[];
}

/** A statement that copies the staged rows with numbers from $1 to $2. */
export type CopyStatement = string;

/** Copies rows into a table. */
export function insertStatement({ target, write, fixed }: Plan): CopyStatement {
  const fields = [...write, ...fixed];
  const columns = fields.map(({ column }) => `"${column}"`).join(", ");
  const values = fields.map(({ value }) => value).join(", ");
  return `insert into ${target} (${columns}) overriding system value
    select ${values} from pg_temp.staged as s where s._number between $1 and $2`;
}

/**
 * Copies the staged rows.
 *
 * @param tx The transaction.
 * @param plan Where to.
 * @param statement How.
 * @returns The rows that do not fit. They are not copied.
 */
export async function copyStaged(
  tx: TransactionSql,
  plan: Plan,
  statement: CopyStatement,
): Promise<Refusal[]> {
  const [bounds] = await tx`select min(_number) as first, max(_number) as last from pg_temp.staged`;
  if (bounds?.first === null || bounds === undefined) return [];
  const refusals: Refusal[] = [];
  const copy = async (first: number, last: number): Promise<void> => {
    const error = await attempt(tx, statement, first, last);
    if (!error) return;
    if (first === last) {
      if (!await isHere(tx, plan, first)) refusals.push(await findProblem(tx, plan, first, error));
      return;
    }
    const middle = Math.floor((first + last) / 2);
    await copy(first, middle);
    await copy(middle + 1, last);
  };
  const error = await attempt(tx, statement, bounds.first, bounds.last);
  if (!error) return [];
  // Rows that an earlier import has copied. If one cannot be read, they are found one by one.
  await inSavepoint(
    tx,
    (inner) =>
      inner.unsafe(`delete from pg_temp.staged as s using ${plan.target} as t
      where ${sameKey(plan)} and ${targetText(plan)} = ${stagedText(plan)}`),
  );
  await copy(bounds.first, bounds.last);
  return refusals;
}

/** Runs the statement on some rows. Returns the error if one of them does not fit. */
async function attempt(
  tx: TransactionSql,
  statement: CopyStatement,
  first: number,
  last: number,
): Promise<PostgresError | undefined> {
  return await inSavepoint(tx, async (inner) => {
    await inner.unsafe(statement, [first, last]);
    // Triggers of constraints that wait for the end of the transaction must refuse now.
    await inner`set constraints all immediate`;
  });
}

/** Runs something that may fail because of a row. Returns that error. */
export async function inSavepoint(
  tx: TransactionSql,
  run: (inner: TransactionSql) => Promise<unknown>,
): Promise<PostgresError | undefined> {
  try {
    await tx.savepoint(run);
    return undefined;
  } catch (error) {
    if (!isRowError(error)) throw error;
    return error;
  }
}

/** Whether the row is already here, with the same content. */
async function isHere(tx: TransactionSql, plan: Plan, number: number): Promise<boolean> {
  let found = false;
  await inSavepoint(tx, async (inner) => {
    const rows = await inner.unsafe(
      `select 1 from pg_temp.staged as s join ${plan.target} as t on ${sameKey(plan)}
        where s._number = $1 and ${targetText(plan)} = ${stagedText(plan)}`,
      [number],
    );
    found = rows.length > 0;
  });
  return found;
}

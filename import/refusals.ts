/**
 * Rows that do not fit: what is wrong with each.
 *
 * @module
 */

import postgres, { type TransactionSql } from "postgres";

import { inSavepoint } from "./copying.ts";
import type { Plan } from "./plan.ts";

/** A row that does not fit. */
export interface Refusal {
  position: string;
  /** The id of the row in its product. */
  key: string | null;
  /** Column or constraint, and what is wrong: the same for all rows with this problem. */
  problem: string;
  message: string;
}

/** What SQLSTATEs mean, in the words of the report. */
const MEANINGS: Record<string, string> = {
  "22001": "too long",
  "22003": "out of range",
  "22007": "not a valid time",
  "22008": "not a valid time",
  "22P02": "not a valid value of its type",
  "22P05": "contains a character that text cannot have",
  "22021": "contains a character that text cannot have",
  "22023": "not a valid value",
  "23502": "must not be null",
  "23503": "refers to a row that does not exist",
  "23505": "exists already, with other content",
  "23514": "violates a rule",
  "23P01": "exists already, with other content",
};

/** Whether an error is the fault of a row, and not of the connection or the server. */
export function isRowError(error: unknown): error is postgres.PostgresError {
  return error instanceof postgres.PostgresError && /^(22|23|54|PT|P0001)/.test(error.code);
}

/**
 * Finds out what is wrong with a row.
 *
 * @param tx The transaction.
 * @param plan Where the row should go.
 * @param number The number of the row in the batch.
 * @param error What PostgreSQL says.
 */
export async function findProblem(
  tx: TransactionSql,
  plan: Plan,
  number: number,
  error: postgres.PostgresError,
): Promise<Refusal> {
  const key = plan.read.includes(plan.key) ? `s."${plan.key}"` : "s._position";
  const [row] = await tx.unsafe(
    `select s._position as position, ${key} as key from pg_temp.staged as s where s._number = $1`,
    [number],
  );
  const where = error.constraint_name ?? error.column_name ?? await findColumn(tx, plan, number);
  const meaning = error.code.startsWith("PT")
    ? (error.detail ?? error.message).split(" ")[0]
    : MEANINGS[error.code] ?? error.message;
  return {
    position: row?.position,
    key: row?.key,
    problem: where ? `${where}: ${meaning}` : `${meaning}`,
    message: error.message,
  };
}

/** The first column of which the value cannot be converted. */
async function findColumn(
  tx: TransactionSql,
  { write }: Plan,
  number: number,
): Promise<string | undefined> {
  for (const { column, value } of write) {
    const error = await inSavepoint(tx, (inner) =>
      inner.unsafe(
        `select (${value})::text from pg_temp.staged as s where s._number = $1`,
        [number],
      ));
    if (error) return column;
  }
  return undefined;
}

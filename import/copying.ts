/**
 * Copies a batch. If a row does not fit, copies the others.
 *
 * @module
 */

import postgres, { type TransactionSql } from "postgres";

import type { Plan } from "./plan.ts";
import { type Refusal, toRefusal } from "./refusals.ts";
import { sameKey, stagedText, targetText } from "./staging.ts";

/** A statement that copies the staged rows with numbers from $1 to $2. */
export type CopyStatement = string;

const COPY_ROWS = Deno.readTextFileSync(new URL("copy_rows.sql", import.meta.url));

/** More rows than a batch can have. */
const ALL = 2_147_483_647;

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
  const all = await succeeds(tx, async (inner) => {
    await inner.unsafe(statement, [1, ALL]);
    // Constraints that wait for the end of the transaction must refuse now.
    await inner`set constraints all immediate`;
  });
  if (all) return [];
  // Rows that an earlier import has copied. If one of the batch cannot be read, they are found one by one.
  await succeeds(
    tx,
    (inner) =>
      inner.unsafe(`delete from pg_temp.staged as s using ${plan.target} as t
      where ${sameKey(plan)} and ${targetText(plan)} = ${stagedText(plan)}`),
  );
  await tx.unsafe(COPY_ROWS);
  const here = `select exists (select 1 from pg_temp.staged as s join ${plan.target} as t on ${
    sameKey(plan)
  } where s._number = $1 and ${targetText(plan)} = ${stagedText(plan)})`;
  const key = plan.read.includes(plan.key) ? `s."${plan.key}"` : "s._position";
  const rows = await tx.unsafe(
    `select s._position as position, ${key} as key, r.state, r.place, r.message, r.detail
    from pg_temp.copy_rows($1, $2, $3, $4) as r join pg_temp.staged as s on s._number = r.number
    order by r.number`,
    [
      statement,
      here,
      plan.write.map(({ column }) => column),
      plan.write.map(({ value }) => value),
    ],
  );
  return rows.map((row) => toRefusal(row as unknown as Parameters<typeof toRefusal>[0]));
}

/** Runs something that may fail because of a row, and takes it back then. */
async function succeeds(
  tx: TransactionSql,
  run: (inner: TransactionSql) => Promise<unknown>,
): Promise<boolean> {
  try {
    await tx.savepoint(run);
    return true;
  } catch (error) {
    if (error instanceof postgres.PostgresError && ROW_ERROR.test(error.code)) return false;
    throw error;
  }
}

/** SQLSTATEs that are the fault of a row, and not of the connection or the server. */
const ROW_ERROR = /^(22|23|54|PT|P0001)/;

/**
 * Compares what the product has with what is here: reads all rows again, and computes counts and checksums of both
 * sides.
 *
 * @module
 */

import type { TransactionSql } from "postgres";

import type { Plan } from "./plan.ts";
import { batches } from "./source.ts";
import { sameKey, stage, stagedText, targetText } from "./staging.ts";
import { type Import, prepare, rowsOf, teller } from "./steps.ts";

/** One side of a table. */
export interface Side {
  rows: number;
  /** The sum of the digests of all rows, whatever their order. */
  checksum: string;
}

/** A table on both sides. */
export interface Comparison {
  table: string;
  /** Rows of the product that do not fit and are not compared. */
  leftOut: number;
  source: Side;
  target: Side;
  equal: boolean;
}

/** The digest of a row's text: 64 bits, added up. */
const digest = (text: string) => `sum(('x' || left(md5(${text}), 16))::bit(64)::bigint::numeric)`;

/**
 * Compares all tables.
 *
 * @param run The import.
 */
export async function compareAll(run: Import): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const plan of run.plans) {
    if (plan.step.kind !== "archive") comparisons.push(await compare(run, plan));
  }
  return comparisons;
}

async function compare(run: Import, plan: Plan): Promise<Comparison> {
  const { table } = plan.step;
  const source = { rows: 0, sum: 0n };
  const target = { rows: 0, sum: 0n };
  let leftOut = 0;
  const tell = teller(run, `Comparing ${table}`);
  for await (const batch of batches(rowsOf(run, plan), run.batchSize)) {
    await run.sql.begin(async (tx) => {
      await prepare(tx);
      await stage(tx, plan, batch);
      const refused = await tx`
        delete from pg_temp.staged as s using private.import_refusals as r
        where r.product = ${run.product.name} and r.step = ${table} and r.position = s._position`;
      leftOut += refused.count;
      add(source, await sumSource(tx, plan));
      add(target, await sumTarget(tx, plan));
    });
    tell.count(batch.rows.length);
  }
  tell.end();
  const sides = { source: sideOf(source), target: sideOf(target) };
  const equal = source.rows === target.rows && source.sum === target.sum;
  return { table, leftOut, ...sides, equal };
}

interface Sum {
  rows: number;
  sum: bigint;
}

function add(total: Sum, { rows, sum }: Sum): void {
  total.rows += rows;
  total.sum += sum;
}

async function sumSource(tx: TransactionSql, plan: Plan): Promise<Sum> {
  return await sum(
    tx,
    `select count(*) as rows, ${digest(stagedText(plan))} as sum
    from pg_temp.staged as s where ${plan.filter ?? "true"}`,
  );
}

async function sumTarget(tx: TransactionSql, plan: Plan): Promise<Sum> {
  return await sum(
    tx,
    `select count(*) as rows, ${digest(targetText(plan))} as sum
    from pg_temp.staged as s join ${plan.target} as t on ${sameKey(plan)} where ${
      plan.filter ?? "true"
    }`,
  );
}

async function sum(tx: TransactionSql, query: string): Promise<Sum> {
  const [row] = await tx.unsafe(query);
  return { rows: Number(row?.rows), sum: BigInt(row?.sum ?? 0) };
}

function sideOf({ rows, sum }: Sum): Side {
  return { rows, checksum: toChecksum(sum) };
}

/** Writes a sum as 16 hexadecimal digits. */
export function toChecksum(sum: bigint): string {
  return BigInt.asUintN(64, sum).toString(16).padStart(16, "0");
}

/**
 * How far an import has come: rows of `private.imports`, written in the transaction of what they report.
 *
 * @module
 */

import type { Sql, TransactionSql } from "postgres";

import { StackFailure } from "../stack/failure.ts";
import type { Refusal } from "./refusals.ts";

/** How far one step has come. */
export interface StepState {
  position: string | undefined;
  rows: number;
  done: boolean;
  /** Bytes and checksum of objects. */
  bytes?: number;
  digest?: bigint;
}

/** The progress of one product. */
export class Progress {
  readonly #product: string;
  readonly #source: string;

  /**
   * @param product The product.
   * @param source What is imported.
   */
  constructor(product: string, source: string) {
    this.#product = product;
    this.#source = source;
  }

  /**
   * Makes sure that no other import of the product runs. An interrupted one may still end its last statement.
   *
   * @param sql The connection, which holds the lock until it closes.
   * @throws {StackFailure} if another import keeps running, or the database has no tables for imports.
   */
  async lock(sql: Sql): Promise<void> {
    const [table] = await sql`select to_regclass('private.imports') is not null as there`;
    if (!table?.there) {
      throw new StackFailure(
        "The database has no table private.imports",
        "Apply the migrations to it first, as docs/deploy.md describes, and check the URL after --to.",
      );
    }
    const deadline = Date.now() + PREDECESSOR_PATIENCE_MS;
    while (true) {
      const [row] = await sql`
        select pg_try_advisory_lock(hashtext('strongroom.import'), hashtext(${this.#product})) as held`;
      if (row?.held) return;
      if (Date.now() > deadline) {
        throw new StackFailure(
          `Another import of ${this.#product} is running`,
          "Wait until it has ended, or stop it, and repeat the command.",
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /**
   * Forgets how far the import has come, so that all rows are read again.
   *
   * @param sql The connection.
   */
  async forget(sql: Sql): Promise<void> {
    await sql`delete from private.imports where product = ${this.#product}`;
    await sql`delete from private.import_refusals where product = ${this.#product}`;
  }

  /**
   * Reads how far a step has come.
   *
   * @param sql The connection.
   * @param step The step.
   * @throws {StackFailure} if the step was begun from another source.
   */
  async read(sql: Sql, step: string): Promise<StepState> {
    const [row] = await sql`
      select position, rows::float8 as rows, bytes::float8 as bytes, digest::text as digest, done, source
      from private.imports
      where product = ${this.#product} and step = ${step}`;
    if (row && row.source !== this.#source) {
      throw new StackFailure(
        `The import of ${this.#product} was begun from ${row.source}, not from ${this.#source}`,
        "Continue from that source, or add --again to read all rows of this one.",
      );
    }
    return row
      ? {
        position: row.position ?? undefined,
        rows: row.rows,
        done: row.done,
        bytes: row.bytes,
        digest: BigInt(row.digest),
      }
      : { position: undefined, rows: 0, done: false };
  }

  /**
   * Saves how far a step has come.
   *
   * @param tx The transaction that has copied the rows.
   * @param step The step.
   * @param state Its state.
   */
  async save(tx: TransactionSql | Sql, step: string, state: StepState): Promise<void> {
    const { position = null, rows, done, bytes = 0, digest = 0n } = state;
    await tx`
      insert into private.imports (product, step, source, position, rows, bytes, digest, done)
      values (${this.#product}, ${step}, ${this.#source}, ${position}, ${rows}, ${bytes},
        ${digest.toString()}, ${done})
      on conflict (product, step) do update set position = excluded.position, rows = excluded.rows,
        bytes = excluded.bytes, digest = excluded.digest, done = excluded.done`;
  }

  /**
   * Notes the rows that were left out.
   *
   * @param tx The transaction that has copied the other rows.
   * @param step The step.
   * @param refusals The rows.
   */
  async refuse(tx: TransactionSql, step: string, refusals: Refusal[]): Promise<void> {
    if (refusals.length === 0) return;
    const rows = refusals.map((refusal) => ({ product: this.#product, step, ...refusal }));
    await tx`insert into private.import_refusals ${tx(rows)} on conflict do nothing`;
  }

  /**
   * Reads the rows that were left out, a thousand at a time.
   *
   * @param sql The connection.
   * @param run Receives each of them.
   */
  async refused(sql: Sql, run: (step: string, refusal: Refusal) => void): Promise<void> {
    const cursor = sql`
      select step, position, key, problem, message from private.import_refusals
      where product = ${this.#product} order by created_at, step, position`.cursor(1000);
    for await (const rows of cursor) {
      for (const { step, ...refusal } of rows) run(step, refusal as unknown as Refusal);
    }
  }
}

/** Milliseconds that the last statement of an interrupted import may take. */
const PREDECESSOR_PATIENCE_MS = 60_000;

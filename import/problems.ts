/**
 * The problems of a product's rows, counted: however many there are, they take up little memory.
 *
 * @module
 */

import type { Refusal } from "./refusals.ts";

/** Rows of one table with the same problem. */
export interface Problem {
  table: string;
  problem: string;
  rows: number;
  /** The ids of the first of these rows. */
  keys: string[];
  /** What PostgreSQL says of the first. */
  message: string;
}

/** How many ids a report has for each problem. */
const KEYS = 5;

/** Counts problems. */
export class Problems {
  readonly #all = new Map<string, Problem>();

  /** Counts a row that does not fit. */
  add(table: string, { problem, key, position, message }: Refusal): void {
    const id = `${table}\t${problem}`;
    const known = this.#all.get(id);
    if (!known) {
      this.#all.set(id, { table, problem, rows: 1, keys: [key ?? position], message });
      return;
    }
    known.rows++;
    if (known.keys.length < KEYS) known.keys.push(key ?? position);
  }

  /** All problems, in the order in which they were found. */
  list(): Problem[] {
    return [...this.#all.values()];
  }

  /** How many rows do not fit. */
  get rows(): number {
    return this.list().reduce((sum, { rows }) => sum + rows, 0);
  }
}

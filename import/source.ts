/**
 * Where rows come from: a database, or a folder of CSV files.
 *
 * @module
 */

/** The product's data. */
export interface Source {
  /** What it is, without a password. */
  readonly name: string;
  /** The columns of a table; undefined if there is no such table. */
  columns(table: string): Promise<string[] | undefined>;
  /** Whether a table has rows. */
  hasRows(table: string): Promise<boolean>;
  /** Tables with rows of the product, including those that no step copies. */
  tables(): Promise<string[]>;
  /**
   * Reads a table in the order of its positions, at the speed at which the rows are taken.
   *
   * @param table The table.
   * @param columns The columns to read.
   * @param key The column that identifies a row.
   * @param after The position after which to begin. Default: the first row.
   */
  rows(table: string, columns: string[], key: string, after?: string): AsyncIterable<SourceRow>;
  close(): Promise<void>;
}

/** A row, in the text format of PostgreSQL's COPY. */
export interface SourceRow {
  /** Where it is: its key in a database, or its number in a file. */
  position: string;
  /** The fields, separated by tabs, with the newline. */
  line: Uint8Array;
}

/** Some rows that are copied in one transaction. */
export interface Batch {
  rows: SourceRow[];
  /** Bytes of all lines. */
  bytes: number;
}

/** The most bytes in a batch, so that neither large rows nor wide tables fill the memory. */
const BATCH_BYTES = 8 * 1024 * 1024;

/**
 * Groups rows into batches.
 *
 * @param rows The rows.
 * @param most The most rows in a batch.
 */
export async function* batches(
  rows: AsyncIterable<SourceRow>,
  most: number,
): AsyncGenerator<Batch> {
  let batch: Batch = { rows: [], bytes: 0 };
  for await (const row of rows) {
    batch.rows.push(row);
    batch.bytes += row.line.length;
    if (batch.rows.length >= most || batch.bytes >= BATCH_BYTES) {
      yield batch;
      batch = { rows: [], bytes: 0 };
    }
  }
  if (batch.rows.length > 0) yield batch;
}

/**
 * A folder of CSV files, one for each table: `auth.users.csv`, `messages.csv`.
 *
 * @module
 */

import { createReadStream, existsSync } from "node:fs";
import { type CsvError, parse } from "csv-parse";

import { StackFailure } from "../stack/failure.ts";
import { toField } from "./copy_text.ts";
import type { Source, SourceRow } from "./source.ts";

/**
 * Opens a folder of CSV files with a header, as PostgreSQL writes them: an empty field is null, and `""` is an empty
 * text.
 *
 * @param dir The folder.
 * @throws {StackFailure} if it does not exist or has no CSV files.
 */
export function openFolder(dir: string): Source {
  const names = existsSync(dir)
    ? [...Deno.readDirSync(dir)].flatMap(({ name }) => name.match(/^(.+)\.csv$/)?.[1] ?? []).sort()
    : [];
  if (names.length === 0) {
    throw new StackFailure(
      `There are no CSV files in the folder ${dir}`,
      "Put a file for each table into it, as docs/moving-in.md describes, or give the URL of a database.",
    );
  }
  const pathOf = (table: string) => `${dir}/${table}.csv`;
  return {
    name: dir,
    async columns(table) {
      if (!names.includes(table)) return undefined;
      for await (const record of read(pathOf(table), 1)) return record.map((name) => name ?? "");
      return undefined;
    },
    async hasRows(table) {
      if (!names.includes(table)) return false;
      let records = 0;
      for await (const _ of read(pathOf(table), 2)) records++;
      return records > 1;
    },
    tables: () => Promise.resolve(names.filter((name) => !name.includes("."))),
    rows: (table, columns, _key, after) => readRows(pathOf(table), columns, Number(after ?? 0)),
    close: () => Promise.resolve(),
  };
}

const encoder = new TextEncoder();

async function* readRows(
  path: string,
  columns: string[],
  after: number,
): AsyncGenerator<SourceRow> {
  let places: number[] | undefined;
  let number = 0;
  for await (const record of read(path)) {
    if (!places) {
      places = columns.map((column) => record.indexOf(column));
      continue;
    }
    if (++number <= after) continue;
    const fields = places.map((place) => toField(record[place] ?? null));
    const line = [String(number), ...fields].join("\t");
    yield { position: String(number), line: encoder.encode(`${line}\n`) };
  }
}

/** Reads the records of a file, the header first. */
async function* read(path: string, most?: number): AsyncGenerator<(string | null)[]> {
  const parser = createReadStream(path).pipe(parse({
    bom: true,
    ...(most && { to: most }),
    cast: (value, { quoting }) => value === "" && !quoting ? null : value,
  }));
  try {
    yield* parser as AsyncIterable<(string | null)[]>;
  } catch (cause) {
    const { code, message } = cause as CsvError;
    if (!code?.startsWith("CSV_")) throw cause;
    throw new StackFailure(
      `${path} is not valid CSV: ${message}`,
      "Export the table again with: \\copy (select * from TABLE) to 'TABLE.csv' with (format csv, header)",
      { cause },
    );
  }
}

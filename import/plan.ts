/**
 * What is copied from which column: a step of a product, compared with the tables on both sides.
 *
 * @module
 */

import type { Sql } from "postgres";

import { type Conversion, type Step, targetOf } from "./product.ts";
import type { Source } from "./source.ts";

/** How many names of columns a note has at most. */
const MOST_NAMES = 20;

/** A step that can be carried out. */
export interface Plan {
  step: Step;
  target: string;
  /** The column of the product that identifies a row. */
  key: string;
  /** The columns that identify a row here. */
  targetKey: string[];
  /** The columns that are read. */
  read: string[];
  /** What is written, in SQL on the row `s` of the product. */
  write: { column: string; value: string }[];
  /** What is set in addition, and not compared afterwards. */
  fixed: { column: string; value: string }[];
  /** Which rows of the product have something to copy, in SQL. Default: all. */
  filter?: string;
}

/** Why a step cannot be carried out, or what it leaves behind. */
export interface Note {
  table: string;
  text: string;
}

/** A column of a table here. */
interface TargetColumn {
  name: string;
  type: string;
  required: boolean;
  /** The value of a row that does not name the column, if it is always the same. */
  constant: string | null;
  defaulted: boolean;
}

/**
 * Plans a step.
 *
 * @param sql The database here.
 * @param source The product's data.
 * @param step The step.
 * @param note Receives what is left behind.
 * @returns Undefined if one of both sides does not have the table.
 */
export async function planStep(
  sql: Sql,
  source: Source,
  step: Step,
  note: (note: Note) => void,
): Promise<Plan | undefined> {
  const { table } = step;
  const target = targetOf(step);
  const has = await source.columns(table);
  if (!has) {
    note({ table, text: "The source has no such table" });
    return undefined;
  }
  const columns = await readColumns(sql, target);
  if (columns.length === 0) {
    note({ table, text: "There is no such table here: its rows stay behind" });
    return undefined;
  }
  const convert = (step.convert ?? []).filter(({ from }) =>
    from.every((name) => has.includes(name))
  );
  const write = columns.flatMap((column) => {
    const value = valueOf(column, step, has, convert);
    return value === undefined ? [] : [{ column: column.name, value: orConstant(column, value) }];
  });
  const fixed = Object.entries(step.fixed ?? {})
    .filter(([name]) => columns.some((column) => column.name === name))
    .map(([column, value]) => ({ column, value }));

  const used = new Set([
    ...write.map(({ column }) => column).filter((name) => has.includes(name)),
    ...convert.flatMap(({ from }) => from),
  ]);
  const left = has.filter((name) => !used.has(name));
  if (left.length > 0) note({ table, text: `These columns stay behind: ${listed(left)}` });
  const missing = columns.filter(({ name, required, defaulted }) =>
    required && !defaulted && !step.without?.includes(name) &&
    !write.some(({ column }) => column === name)
  ).map(({ name }) => name);
  if (missing.length > 0) {
    note({ table, text: `The source lacks required columns: ${missing.join(", ")}` });
  }
  return {
    step,
    target,
    key: step.key ?? "id",
    targetKey: step.targetKey ?? ["id"],
    read: [...used],
    write,
    fixed,
  };
}

function valueOf(
  column: TargetColumn,
  { only, without }: Step,
  has: string[],
  convert: Conversion[],
): string | undefined {
  const { name, type } = column;
  if (only && !only.includes(name) || without?.includes(name)) return undefined;
  const conversion = convert.find((conversion) => conversion.column === name);
  if (conversion) return conversion.as;
  return has.includes(name) ? `s."${name}"::${type}` : undefined;
}

/** Null becomes the default where the product allows null and the database here does not. */
function orConstant({ required, constant }: TargetColumn, value: string): string {
  return required && constant !== null ? `coalesce(${value}, ${constant})` : value;
}

async function readColumns(sql: Sql, target: string): Promise<TargetColumn[]> {
  const rows = await sql`
    select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as required,
      d.oid is not null or a.attidentity <> '' as defaulted,
      case when pg_get_expr(d.adbin, d.adrelid) !~ '\\(' then pg_get_expr(d.adbin, d.adrelid) end as constant
    from pg_attribute as a
    left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = to_regclass(${target}) and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    order by a.attnum`;
  return rows.map((row) => row as unknown as TargetColumn);
}

/** Column names of the source, which may be many, and may contain anything. */
function listed(names: string[]): string {
  const shown = names.slice(0, MOST_NAMES)
    .map((name) => /^\w{1,63}$/.test(name) ? name : JSON.stringify(name.slice(0, 63)));
  const more = names.length - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

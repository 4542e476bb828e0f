/**
 * How a product describes what it brings along.
 *
 * @module
 */

/** One table of a product, and where its rows go. */
export interface Step {
  /** The table in the product's database, and the name of its CSV file: `auth.users`, or `messages` in `public`. */
  table: string;
  /** The table here. Default: the one of the same name. */
  target?: string;
  /** The column that identifies a row in the product. Default: `id`. */
  key?: string;
  /** The columns that identify a row here. Default: `id`. */
  targetKey?: string[];
  /** The only columns to copy. Default: those that both tables have. */
  only?: string[];
  /** Columns that are not copied although both tables have them: the database here sets them itself. */
  without?: string[];
  /** Columns that are converted. A column that is not listed is cast to its type here. */
  convert?: Conversion[];
  /** Columns that are set although the product has none. Columns that do not exist here are ignored. */
  fixed?: Record<string, string>;
  /** `credits`: opens accounts with the balances in the table. `archive`: the rows stay behind. */
  kind?: "rows" | "credits" | "archive";
  /** Why an `archive` stays behind. */
  reason?: string;
}

/** The value of one column, from columns of the product. */
export interface Conversion {
  column: string;
  /** The product's columns that `as` uses. The conversion applies only if the product has all of them. */
  from: string[];
  /** SQL. `s` is the row of the product, whose columns are text. */
  as: string;
}

/** A product. */
export interface Product {
  name: string;
  title: string;
  /** In the order in which they are copied: what others refer to comes first. */
  steps: Step[];
  /** Where old balances are: table and column. */
  balance?: { table: string; column: string };
}

/** The table of a step here. */
export function targetOf({ table, target }: Step): string {
  return target ?? (table.includes(".") ? table : `public.${table}`);
}

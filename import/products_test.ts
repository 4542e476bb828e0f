import assert from "node:assert/strict";

import { test } from "../supabase/functions/_testing/testing.ts";
import type { Product } from "./product.ts";
import { PRODUCTS } from "./products.ts";

/** The names in the documents: kind, and the table or TABLE.COLUMN. */
function claimsOf(document: string): { kind: string; object: string }[] {
  const path = new URL("../supabase/tests/documented/claims.tsv", import.meta.url);
  return Deno.readTextFileSync(path).split("\n").map((line) => line.split("\t"))
    .filter(([name]) => name === document)
    .map(([, kind = "", object = ""]) => ({ kind, object }));
}

/** Columns in the documents that are not copied. docs/moving-in.md says why. */
const STAY_BEHIND: Record<string, string[]> = {
  // The account here has the balance, and is found by its user.
  chuk: ["user_credits.created_at", "user_credits.id"],
};

/** Whether a step copies a column, under its name or another. */
function isCopied({ steps, balance }: Product, table: string, column: string): boolean {
  const step = steps.find((step) => step.table === table);
  if (!step) return false;
  if (step.kind === "archive") return true;
  if (step.kind === "credits") {
    return column === "user_id" || balance?.table === table && balance.column === column;
  }
  if (step.convert?.some(({ from }) => from.includes(column))) return true;
  return step.only ? step.only.includes(column) : !step.without?.includes(column);
}

test("the import copies every table and column that the documents name", () => {
  for (const [name, product] of Object.entries(PRODUCTS)) {
    const claims = claimsOf(name);
    const tables = claims.filter(({ kind }) => kind === "table").map(({ object }) => object);
    const columns = claims.filter(({ kind, object }) =>
      kind === "column" && tables.includes(object.split(".")[0] ?? "")
    ).map(({ object }) => object);
    assert.ok(tables.length > 0 && columns.length > 0, name);

    const steps = product.steps.map(({ table }) => table).filter((table) => !table.includes("."));
    assert.deepEqual(steps.toSorted(), tables.toSorted(), `the tables of ${product.title}`);
    const left = columns.filter((object) => {
      const [table = "", column = ""] = object.split(".");
      return !isCopied(product, table, column);
    });
    assert.deepEqual([...new Set(left)].toSorted(), STAY_BEHIND[name] ?? [], product.title);
    const listed = product.steps.flatMap(({ table, only = [] }) =>
      table.includes(".") ? [] : only.map((column) => `${table}.${column}`)
    );
    assert.deepEqual(listed.filter((object) => !columns.includes(object)), [], product.title);
  }
});

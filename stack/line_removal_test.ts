import assert from "node:assert/strict";

import { removeCalls, removeUses } from "./line_removal.ts";

Deno.test("a statement of one line that calls a function that is gone is removed", () => {
  const text = `begin
  v_result.books := 1;
  v_result.books := v_result.books + private.count_books(v_id);
  perform public.sell_books(v_id);
  if private.count_books(v_id) > 1 then
    perform private.count_all();
  end if;
end`;
  assert.equal(
    removeCalls(text, ["count_books", "sell_books"]),
    `begin
  v_result.books := 1;
  if private.count_books(v_id) > 1 then
    perform private.count_all();
  end if;
end`,
  );
  assert.equal(removeCalls(text, []), text);
});

Deno.test("the import of a module that is gone is removed, with the lines that use it", () => {
  const text = `import { Hono } from "hono";
import { type Book, sell } from "../_books/sell.ts";
import {
  rent,
} from "./rent.ts";
import { lend } from "./lend.ts";

const JOBS = {
  sale: sell,
  loan: lend,
};
rent(app);
if (permanent) sell(app);
export function first(books: Book[]) {
`;
  assert.equal(
    removeUses(text, "functions/shop/app.ts", (path) => path === "functions/shop/lend.ts"),
    `import { Hono } from "hono";
import { lend } from "./lend.ts";

const JOBS = {
  loan: lend,
};
export function first(books: Book[]) {
`,
  );
  assert.equal(removeUses(text, "functions/shop/app.ts", () => true), text);
});

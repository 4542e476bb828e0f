/**
 * The statement of a month, as pages of JSON or as one CSV.
 *
 * @module
 */

import type { Context } from "hono";
import { accepts } from "hono/accepts";
import type { SupabaseClient } from "@supabase/supabase-js";

import type { Database, Json } from "../_shared/database.types.ts";
import { call, defined } from "../_shared/rpc.ts";

/** The query of a request for a statement. */
export interface StatementRequest {
  /** `2026-11`, in UTC. */
  month: string;
  user_id?: string | undefined;
  team_id?: string | undefined;
  /** Return entries after this number. */
  after?: string | undefined;
  /** Entries in a page of JSON: 1 to 1000. */
  limit?: string | undefined;
  /** The unit of the account: credits if it is not given. */
  unit?: string | undefined;
  actor: "user" | "service";
}

const COLUMNS = [
  "entry_no",
  "created_at",
  "kind",
  "amount",
  "balance_after",
  "sku",
  "quantity",
  "unit_price",
  "items",
  "description",
  "actor",
  "actor_id",
  "refund_of",
  "counterpart",
];

/**
 * Responds with the statement: JSON, or CSV for `Accept: text/csv`.
 *
 * @param c The request's context.
 * @param client Client with the secret key.
 * @param request The account and the month.
 * @throws {Problem} 403 `not_team_admin`, 404 `account_not_found`, 422 `unknown_unit`.
 */
export async function answerStatement(
  c: Context,
  client: SupabaseClient<Database>,
  request: StatementRequest,
): Promise<Response> {
  const { month, after, limit, ...whose } = request;
  const page = (after: number) =>
    call(() =>
      client.rpc(
        "credit_statement",
        defined({
          ...whose,
          month: `${month}-01`,
          after,
          page_size: limit === undefined ? undefined : Number(limit),
        }),
      )
    );
  const first = await page(Number(after ?? 0));
  const type = accepts(c, {
    header: "Accept",
    supports: ["application/json", "text/csv"],
    default: "application/json",
  });
  if (type === "application/json") return c.json(first);

  c.header("content-type", "text/csv; charset=utf-8");
  c.header("content-disposition", `attachment; filename="${first.unit}-${month}.csv"`);
  return c.body(await csv(first, page));
}

interface Page {
  entries: Json | null;
  next_after: number | null;
}

/** Streams all pages as CSV, because a month can have more entries than fit into memory. */
async function csv(
  first: Page,
  page: (after: number) => Promise<Page>,
): Promise<ReadableStream<Uint8Array>> {
  // Loaded here, so that only requests for CSV pay for it.
  const { stringify } = await import("csv-stringify/sync");
  const encoder = new TextEncoder();
  const lines = ({ entries }: Page, header: boolean) =>
    encoder.encode(stringify(entries as unknown[], {
      header,
      columns: COLUMNS,
      record_delimiter: "windows",
      // Keeps a spreadsheet from running a description as a formula.
      escape_formulas: true,
    }));
  let next: Page | undefined = first;
  return new ReadableStream({
    async pull(controller) {
      if (!next) return controller.close();
      controller.enqueue(lines(next, next === first));
      next = next.next_after === null ? undefined : await page(next.next_after);
    },
  });
}

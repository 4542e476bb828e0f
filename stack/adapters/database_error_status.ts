/**
 * PostgREST maps each SQLSTATE to a status, and always returns the SQLSTATE as `code`. A plain `raise
 * exception` (P0001) is 400. `@supabase/lite` knows some SQLSTATEs and returns 500 with the code `SUP` for the
 * others, among them check violations and P0001 (seen in 0.10.0).
 *
 * The statuses come from PostgREST's documentation: https://docs.postgrest.org/en/stable/references/errors.html
 *
 * @module
 */

import type { Connection } from "@supabase/lite";
import type { PostgresError } from "postgres";

/** Statuses by SQLSTATE or by its class (first two characters). All others are 400. */
const STATUSES: Record<string, number> = {
  "08": 503,
  "09": 500,
  "0L": 403,
  "0P": 403,
  "25": 500,
  "28": 403,
  "2D": 500,
  "38": 500,
  "39": 500,
  "3B": 500,
  "40": 500,
  "53400": 500,
  "53": 503,
  "54": 413,
  "55": 500,
  "57": 500,
  "58": 500,
  F0: 500,
  HV: 500,
  P0001: 400,
  P0: 500,
  XX: 500,
};

/** SQLSTATEs for which `@supabase/lite` behaves like PostgREST. */
const ALREADY_RIGHT = /^(PT...|PGRST.*|42...|22...|21...|23502|23503|23505|25006)$/;

/**
 * Makes the connection pass on the errors that `@supabase/lite` does not know in a form that it returns
 * unchanged: PostgREST's own format for a response made in SQL (`raise sqlstate 'PGRST'`).
 *
 * @param connection The connection. Its `normalizeDbError` is replaced.
 */
export function answerDatabaseErrors(connection: Connection): void {
  const normalize = connection.normalizeDbError.bind(connection);
  connection.normalizeDbError = (error) => {
    const { code, message, detail, hint } = error as PostgresError;
    if (typeof code !== "string" || !/^[0-9A-Z]{5}$/.test(code) || ALREADY_RIGHT.test(code)) {
      return normalize(error);
    }
    return {
      code: "PGRST",
      message: JSON.stringify({ code, message, details: detail ?? null, hint: hint ?? null }),
      detail: JSON.stringify({
        status: STATUSES[code] ?? STATUSES[code.slice(0, 2)] ?? 400,
        headers: {},
      }),
    };
  };
}

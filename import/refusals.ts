/**
 * Rows that do not fit: what is wrong with each.
 *
 * @module
 */

/** A row that does not fit. */
export interface Refusal {
  position: string;
  /** The id of the row in its product. */
  key: string | null;
  /** Column or constraint, and what is wrong: the same for all rows with this problem. */
  problem: string;
  message: string;
}

/** What SQLSTATEs mean, in the words of the report. */
const MEANINGS: Record<string, string> = {
  "22001": "too long",
  "22003": "out of range",
  "22007": "not a valid time",
  "22008": "not a valid time",
  "22P02": "not a valid value of its type",
  "22P05": "contains a character that text cannot have",
  "22021": "contains a character that text cannot have",
  "22023": "not a valid value",
  "23502": "must not be null",
  "23503": "refers to a row that does not exist",
  "23505": "exists already, with other content",
  "23514": "violates a rule",
  "23P01": "overlaps another row",
};

/** What PostgreSQL says of a row that does not fit. */
export interface RowError {
  position: string;
  key: string | null;
  state: string;
  /** The column or constraint. */
  place: string | null;
  message: string;
  detail: string;
}

/**
 * Names the problem of a row.
 *
 * @param error What PostgreSQL says.
 */
export function toRefusal({ position, key, state, place, message, detail }: RowError): Refusal {
  // The database here begins the detail of its own errors with their code.
  const meaning = state.startsWith("PT")
    ? (detail || message).split(" ")[0] ?? message
    : MEANINGS[state] ?? message;
  return { position, key, problem: place ? `${place}: ${meaning}` : meaning, message };
}

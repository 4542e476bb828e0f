/**
 * The text format of PostgreSQL's COPY: a line for each row, fields separated by tabs, `\N` for null.
 *
 * @module
 */

const ESCAPES: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Writes a field. */
export function toField(value: string | null): string {
  return value === null ? "\\N" : value.replaceAll(/[\\\n\r\t]/g, (char) => ESCAPES[char] ?? char);
}

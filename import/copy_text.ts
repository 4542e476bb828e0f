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

const TAB = 9;
const decoder = new TextDecoder();

/** Reads the first field of a line, which is a key: a number or a UUID, without escapes. */
export function firstField(line: Uint8Array): string {
  const end = line.indexOf(TAB);
  return decoder.decode(line.subarray(0, end < 0 ? line.length - 1 : end));
}

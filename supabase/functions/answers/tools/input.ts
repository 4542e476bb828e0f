/**
 * Reads the inputs of calls, which models write.
 *
 * @module
 */

import { isNestedTooDeep } from "../../_shared/json.ts";

/** Numbers from here on, and below its inverse, some code cannot read, or writes with very many digits. */
const TOO_LARGE = 1e100;

/** The reviver of `JSON.parse` is also told how a number is written. */
type Reviver = (
  this: unknown,
  key: string,
  value: unknown,
  context: { source?: string },
) => unknown;

const parse = JSON.parse as (text: string, reviver: Reviver) => unknown;

/**
 * Parses the input of a call.
 *
 * @param text What the model has written.
 * @returns Undefined if it is no JSON, or none that can be stored: `private.parse_json` decides in the same way.
 */
export function parseInput(text: string): unknown {
  try {
    let hasLongNumber = false;
    const input = parse(text, (_, value, { source = "" }) => {
      if (typeof value === "number") hasLongNumber ||= isLong(value, source);
      return value;
    });
    return hasLongNumber || isNestedTooDeep(input) || hasHalfPair(input) ? undefined : input;
  } catch {
    return undefined;
  }
}

function isLong(number: number, source: string): boolean {
  // 1e-400 is read as 0.
  if (number === 0) return /^[^eE]*[1-9]/.test(source);
  return Math.abs(number) >= TOO_LARGE || Math.abs(number) < 1 / TOO_LARGE;
}

/** Whether a text in a value has half a surrogate pair, which the database cannot hold. */
function hasHalfPair(value: unknown): boolean {
  if (typeof value === "string") return !value.isWellFormed();
  return typeof value === "object" && value !== null &&
    Object.entries(value).some(([name, member]) => !name.isWellFormed() || hasHalfPair(member));
}

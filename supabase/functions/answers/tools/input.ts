/**
 * Reads the inputs of calls, which models write.
 *
 * @module
 */

import { isNestedTooDeep } from "../../_shared/json.ts";

/**
 * Parses the input of a call.
 *
 * @param text What the model has written.
 * @returns Undefined if it is no JSON, or none that can be stored: `private.parse_json` decides in the same way.
 */
export function parseInput(text: string): unknown {
  try {
    const input = JSON.parse(text);
    return isNestedTooDeep(input) || hasHalfPair(input) ? undefined : input;
  } catch {
    return undefined;
  }
}

/** Whether a text in a value has half a surrogate pair, which the database cannot hold. */
function hasHalfPair(value: unknown): boolean {
  if (typeof value === "string") return !value.isWellFormed();
  return typeof value === "object" && value !== null &&
    Object.entries(value).some(([name, member]) => !name.isWellFormed() || hasHalfPair(member));
}

/**
 * Bounds what tools return: it is stored, and models read it.
 *
 * @module
 */

import { Buffer } from "node:buffer";

import type { Json } from "../../_shared/database.types.ts";
import { isNestedTooDeep } from "../../_shared/json.ts";
import { ToolError } from "./server_tool.ts";

/** The most bytes that a tool may return, as JSON. */
export const MOST_OUTPUT_BYTES = 32 * 1024;

/** What PostgreSQL cannot hold: NUL, and half a surrogate pair, which JSON.stringify writes as an escape. */
const UNSTORABLE = /\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

/** Numbers beyond this, PostgreSQL writes with so many digits that they make the output many times as long. */
const MOST_EXPONENT = 30;

/**
 * Turns what a tool has returned into JSON that can be stored.
 *
 * @param value What it has returned.
 * @throws {ToolError} if it is no JSON, or too large.
 */
export function toOutput(value: unknown): Json {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // A BigInt, a cycle, or a toJSON that throws.
  }
  if (text === undefined) throw new ToolError("The tool returned something that is not JSON");
  if (Buffer.byteLength(text) > MOST_OUTPUT_BYTES) {
    throw new ToolError(
      `The tool returned more than ${MOST_OUTPUT_BYTES} bytes: ask for less, for example for fewer results`,
    );
  }
  const output = JSON.parse(text.replace(UNSTORABLE, "\\ufffd"));
  if (isNestedTooDeep(output) || hasLongNumber(output)) {
    throw new ToolError("The tool returned JSON that cannot be stored");
  }
  return output;
}

function hasLongNumber(value: unknown): boolean {
  if (typeof value === "number") {
    return value !== 0 && Math.abs(Math.log10(Math.abs(value))) > MOST_EXPONENT;
  }
  return typeof value === "object" && value !== null && Object.values(value).some(hasLongNumber);
}

/**
 * How long property tests run.
 *
 * @module
 */

import process from "node:process";

/** Multiplies the number of runs. From `SOAK`, default 1; read without Deno, because these tests run in Node.js too. */
export const soak = Number(process.env.SOAK ?? 1);

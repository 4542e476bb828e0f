/**
 * The one thing of Deno's that the tests of the cryptography use.
 *
 * @module
 */

import test from "node:test";

Object.assign(globalThis, { Deno: { test } });

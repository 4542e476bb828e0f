/**
 * The only Deno API that the tests of the cryptography use, for Node.js.
 *
 * @module
 */

import test from "node:test";

Object.assign(globalThis, { Deno: { test } });

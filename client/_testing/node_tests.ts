/**
 * The tests of the cryptography for `node --test`, once they are bundled: `runtimes_test.ts` does that.
 *
 * @module
 */

import "./node_prelude.ts";
import "../envelope_test.ts";
import "../keys_test.ts";
import "../make_vectors_test.ts";
import "../recovery_key_test.ts";
import "../vectors_test.ts";

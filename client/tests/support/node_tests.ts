/**
 * The tests of the cryptography for `node --test`. `runtimes_test.ts` bundles them.
 *
 * @module
 */

import "./node_prelude.ts";
import "../crypto/encoding_test.ts";
import "../crypto/envelope_test.ts";
import "../crypto/keys_test.ts";
import "../crypto/padding_test.ts";
import "../crypto/recovery_key_test.ts";
import "../crypto/sign_in_password_test.ts";
import "../crypto/vectors_test.ts";
import "../crypto/wrap_test.ts";
import "../vectors/make_vectors_test.ts";

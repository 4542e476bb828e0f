/**
 * The test vectors of `docs/encryption.md` and `docs/verified-history.md`, made from fixed keys and nonces. Writes `vectors.json` beside this file:
 *
 *     deno run -A client/tests/vectors/make_vectors.ts
 *
 * They change only with the format: other clients rely on them.
 *
 * @module
 */

import { deviceVectors } from "./device_vectors.ts";
import { envelopeVectors } from "./envelope_vectors.ts";
import { historyVectors } from "./history_vectors.ts";
import { keyVectors } from "./key_vectors.ts";
import { padmeLength } from "../../crypto/mod.ts";

const LENGTHS = [1, 2, 63, 64, 65, 72, 73, 100, 200, 1000, 1024, 1025, 65_537, 1_000_000];

/** Returns the text of the file, which is the same each time. */
export async function makeVectors(): Promise<string> {
  const vectors = {
    about:
      "Test vectors of docs/encryption.md, verified-history.md, device-approval.md and passkeys.md, which explain them",
    padding: LENGTHS.map((length) => ({ length, padded: padmeLength(length) })),
    ...await keyVectors(),
    ...await envelopeVectors(),
    ...await historyVectors(),
    ...await deviceVectors(),
  };
  // ASCII only: an editor could compose characters that are meant to be decomposed.
  return JSON.stringify(vectors, null, 2).replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  ) + "\n";
}

if (import.meta.main) {
  await Deno.writeTextFile(new URL("./vectors.json", import.meta.url), await makeVectors());
}

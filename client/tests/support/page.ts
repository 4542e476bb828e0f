/**
 * A page that encrypts. `runtimes_test.ts` bundles it as a script and runs it with only what a web page has.
 *
 * @module
 */

import {
  decryptText,
  derivePasswordKey,
  deriveRecoveryKey,
  encrypt,
  generateDataKey,
  generateDeviceKey,
  generateRecoveryKey,
  unwrap,
  wrap,
} from "../../crypto/mod.ts";

async function roundTrip(): Promise<string> {
  const user_id = crypto.randomUUID();
  const place = { user_id, chat_id: crypto.randomUUID(), part: "data" } as const;
  const fresh = await generateDataKey();
  const { key_id } = fresh;
  const envelope = await encrypt("Hello from a page", { ...place, key: fresh });
  const texts = [];
  for (
    const under of [
      await derivePasswordKey("correct horse battery staple"),
      await deriveRecoveryKey(generateRecoveryKey()),
      await generateDeviceKey(),
    ]
  ) {
    const key = await unwrap(await wrap(fresh, { under, user_id }), { under, user_id, key_id });
    texts.push(await decryptText(envelope, { ...place, keys: [key] }));
  }
  return texts.join(", ");
}

Object.assign(globalThis, { result: roundTrip() });

import assert from "node:assert/strict";

import {
  decrypt,
  decryptText,
  derivePasskeyKey,
  derivePasswordKey,
  deriveRecoveryKey,
  deriveV1Key,
  encrypt,
  epochKey,
  generateDataKey,
  generateDeviceKey,
  generateRecoveryKey,
  importDeviceKey,
  unwrap,
  wrap,
} from "../../crypto/mod.ts";
import { coded } from "../support/assertions.ts";
import vectors from "../vectors/vectors.json" with { type: "json" };

const USER = vectors.wraps[0]!.user_id;
const PARAMETERS = { salt: vectors.passwords[0]!.salt, iterations: 600_000 };
const PLACE = { user_id: USER, chat_id: crypto.randomUUID(), part: "data" } as const;

Deno.test("keys: a password change and a rotation leave all chats readable", async () => {
  const first = await generateDataKey();
  const old = await encrypt("Before", { ...PLACE, key: first });

  // The password changes: the data key is unwrapped with the old one and wrapped with the new.
  const before = await derivePasswordKey("the old one");
  const stored = await wrap(first, { under: before, user_id: USER });
  const opened = await unwrap(stored, {
    under: before,
    user_id: USER,
    key_id: first.key_id,
    extractable: true,
  });
  const after = await derivePasswordKey("the new one");
  assert.notEqual(after.salt, before.salt);
  const replaced = await wrap(opened, { under: after, user_id: USER });
  await assert.rejects(
    unwrap(replaced, { under: before, user_id: USER, key_id: first.key_id }),
    coded("decryption_failed"),
  );

  // A new epoch wraps the one before, and the password opens both.
  const second = await generateDataKey();
  const chain = await wrap(opened, { under: epochKey(second), user_id: USER });
  const password = await wrap(second, { under: after, user_id: USER });

  const again = await derivePasswordKey("the new one", after);
  const newest = await unwrap(password, { under: again, user_id: USER, key_id: second.key_id });
  const oldest = await unwrap(chain, {
    under: epochKey(newest),
    user_id: USER,
    key_id: first.key_id,
  });
  assert.equal(await decryptText(old, { ...PLACE, keys: [newest, oldest] }), "Before");
});

Deno.test("keys: an id belongs to one key, and older random ids to any", async () => {
  const [key, other] = [await generateDataKey(), await generateDataKey()];
  assert.match(key.key_id, /^.{14}8/);
  const under = await generateDeviceKey();
  const place = { under, user_id: USER, key_id: key.key_id };
  const forged = await wrap({ ...other, key_id: key.key_id }, place);
  await assert.rejects(unwrap(forged, place), coded("decryption_failed"));
  const old = crypto.randomUUID();
  const wrapped = await wrap({ ...other, key_id: old }, place);
  assert.equal((await unwrap(wrapped, { ...place, key_id: old })).key_id, old);
});

Deno.test("keys: only data keys that are to be wrapped are extractable", async () => {
  const fresh = await generateDataKey();
  const device = await generateDeviceKey();
  const wrapped = await wrap(fresh, { under: device, user_id: USER });
  const used = await unwrap(wrapped, { under: device, user_id: USER, key_id: fresh.key_id });
  const kept = [
    used,
    device,
    await importDeviceKey(crypto.randomUUID(), new Uint8Array(32)),
    await deriveRecoveryKey(generateRecoveryKey()),
    await derivePasswordKey("password", PARAMETERS),
    await deriveV1Key("password", PARAMETERS.salt),
  ];
  for (const { key } of kept) {
    assert.equal(key.extractable, false);
    await assert.rejects(crypto.subtle.exportKey("raw", key));
  }
  await assert.rejects(wrap(used, { under: device, user_id: USER }), coded("key_not_extractable"));
});

Deno.test("keys: the same password opens when it is typed on another keyboard", async () => {
  const composed = "Caf\u00e9 fin ABC";
  const decomposed = "Cafe\u0301 \ufb01n \uff21\uff22\uff23";
  const key = await generateDataKey();
  const place = { user_id: USER, key_id: key.key_id };
  const made = await wrap(key, { under: await derivePasswordKey(composed, PARAMETERS), ...place });
  await unwrap(made, { under: await derivePasswordKey(decomposed, PARAMETERS), ...place });
  const trimmed = await derivePasswordKey(`${composed} `, PARAMETERS);
  await assert.rejects(unwrap(made, { under: trimmed, ...place }), coded("decryption_failed"));
});

Deno.test("keys: v1 uses a password exactly as it was typed", async () => {
  const [one, two] = await Promise.all(
    ["Caf\u00e9", "Cafe\u0301"].map((password) => deriveV1Key(password, PARAMETERS.salt)),
  );
  assert.ok(one && two);
  const iv = new Uint8Array(12);
  const usable = await crypto.subtle.importKey(
    "raw",
    await crypto.subtle.deriveBits(
      {
        name: "PBKDF2",
        hash: "SHA-256",
        iterations: 600_000,
        salt: Uint8Array.from(atob(PARAMETERS.salt), (c) => c.charCodeAt(0)),
      },
      await crypto.subtle.importKey(
        "raw",
        new TextEncoder().encode("Cafe\u0301"),
        "PBKDF2",
        false,
        [
          "deriveBits",
        ],
      ),
      256,
    ),
    "AES-GCM",
    false,
    ["encrypt"],
  );
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, usable, new Uint8Array(1));
  await crypto.subtle.decrypt({ name: "AES-GCM", iv }, two.key, sealed);
  await assert.rejects(crypto.subtle.decrypt({ name: "AES-GCM", iv }, one.key, sealed));
});

Deno.test("keys: invalid passwords and parameters are refused before any derivation", async () => {
  const refused = coded("key_parameters_refused");
  for (
    const iterations of [1, 599_999, 2_000_001, 600_000.5, NaN, "600000" as unknown as number]
  ) {
    await assert.rejects(derivePasswordKey("password", { ...PARAMETERS, iterations }), refused);
  }
  const { salt } = PARAMETERS;
  for (
    const [memory_kib, passes] of [[19_455, 2], [19_456, 1], [262_145, 2], [20_000, 11], [
      131_072,
      3,
    ], [19_456.5, 2]]
  ) {
    const parameters = { salt, memory_kib: memory_kib!, passes: passes! }; // pairs
    await assert.rejects(derivePasswordKey("password", parameters), refused);
  }
  for (const bytes of [0, 15, 65]) {
    const salt = btoa("s".repeat(bytes));
    await assert.rejects(derivePasswordKey("password", { ...PARAMETERS, salt }), refused);
  }
  for (const salt of ["not base64", "", undefined as unknown as string]) {
    await assert.rejects(derivePasswordKey("password", { ...PARAMETERS, salt }), refused);
    await assert.rejects(deriveV1Key("password", salt), refused);
  }
  // A salt with which the key would be an old sign-in password, which Auth has received.
  const known = btoa("strongroom sign-in\neve@example.com");
  for (const cost of [{ iterations: 600_000 }, { memory_kib: 19_456, passes: 2 }]) {
    await assert.rejects(derivePasswordKey("password", { salt: known, ...cost }), refused);
  }
  await assert.rejects(deriveV1Key("password", known), refused);
  await assert.rejects(derivePasswordKey(""), coded("invalid_argument"));
  await assert.rejects(derivePasswordKey("", PARAMETERS), coded("invalid_argument"));
  await assert.rejects(deriveV1Key("", PARAMETERS.salt), coded("invalid_argument"));
  await assert.rejects(derivePasswordKey("👍".slice(0, 1)), coded("not_text"));
});

Deno.test("keys: invalid ids, and secrets of another length, are refused", async () => {
  const key = await generateDataKey();
  const device = await generateDeviceKey();
  const invalid = coded("invalid_argument");
  await assert.rejects(wrap(key, { under: device, user_id: "me" }), invalid);
  await assert.rejects(wrap({ ...key, key_id: "1" }, { under: device, user_id: USER }), invalid);
  await assert.rejects(wrap(key, { under: epochKey(key), user_id: USER }), invalid);
  await assert.rejects(importDeviceKey(device.device_id, new Uint8Array(16)), invalid);
  await assert.rejects(importDeviceKey("phone", new Uint8Array(32)), invalid);
  const passkey = { device_id: USER, credential_id: "id", salt: PARAMETERS.salt, name: "{}" };
  for (const length of [0, 16, 31, 33, 64]) {
    await assert.rejects(derivePasskeyKey(new Uint8Array(length), passkey), invalid);
  }
});

Deno.test("keys: a mistake of the program is not taken for a wrong key", async () => {
  const { key_id, key, secret } = await generateDataKey();
  const place = { user_id: USER, chat_id: USER, part: "data" as const };
  const envelope = await encrypt("text", { ...place, key: { key_id, key, secret } });
  const raw = await crypto.subtle.exportKey("raw", key);
  const useless = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt"]);
  const keys = [{ key_id, key: useless, secret }];
  await assert.rejects(decrypt(envelope, { ...place, keys }), { name: "InvalidAccessError" });
});

Deno.test("keys: a page without WebCrypto is told so", async () => {
  const { subtle } = crypto;
  Object.defineProperty(crypto, "subtle", { value: undefined, configurable: true });
  try {
    await assert.rejects(generateDataKey(), coded("webcrypto_missing"));
  } finally {
    Object.defineProperty(crypto, "subtle", { value: subtle, configurable: true });
  }
});

Deno.test("keys: a page that forbids WebAssembly is told so", async () => {
  const allowed = Object.getOwnPropertyDescriptor(globalThis, "WebAssembly")!; // every runtime has it
  Object.defineProperty(globalThis, "WebAssembly", { value: undefined, configurable: true });
  try {
    await assert.rejects(derivePasswordKey("password"), coded("argon2id_missing"));
  } finally {
    Object.defineProperty(globalThis, "WebAssembly", allowed);
  }
});

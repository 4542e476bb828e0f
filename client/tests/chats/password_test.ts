import assert from "node:assert/strict";
import { createClient } from "@supabase/supabase-js";

import { invoke, signUp, stack, test } from "../../../supabase/functions/_testing/testing.ts";
import {
  derivePasswordKey,
  deriveRecoveryKey,
  generateDataKey,
  generateRecoveryKey,
  type PasswordParameters,
  wrap,
} from "../../crypto/mod.ts";
import {
  type AnySupabaseClient,
  ChatsError,
  CryptoError,
  MemoryStore,
  oldSignInPassword,
  signIn,
} from "../../mod.ts";
import { rejection } from "../support/assertions.ts";
import { device } from "../support/devices.ts";
import { type Json, LyingServer } from "../support/lying_server.ts";

const PASSWORD = "a password for the chats";

/** Sets up keys as clients did before: with PBKDF2. */
async function setUpBefore(user: Awaited<ReturnType<typeof signUp>>): Promise<PasswordParameters> {
  const { id: user_id } = user;
  const fresh = await generateDataKey();
  const parameters = { salt: btoa("a salt of 23 characters"), iterations: 600_000 };
  const under = await derivePasswordKey(PASSWORD, parameters);
  const recovery = await deriveRecoveryKey(generateRecoveryKey());
  const wraps = [
    { kind: "password", ...parameters, wrap: await wrap(fresh, { under, user_id }) },
    { kind: "recovery", wrap: await wrap(fresh, { under: recovery, user_id }) },
  ];
  const body = { expected_version: 0, key_id: fresh.key_id, wraps };
  assert.equal((await invoke(user.client, "chats/keys", { method: "PUT", body })).status, 200);
  return parameters;
}

function passwordWrap({ keys: [current] }: Json): Json {
  return current.wraps.find(({ kind }: Json) => kind === "password");
}

test("password: PBKDF2 moves on to Argon2id at the next entry, and never back on a device that has seen it", async () => {
  const user = await signUp();
  await setUpBefore(user);
  const { body: before } = await invoke(user.client, "chats/keys");
  const store = new MemoryStore();
  const server = new LyingServer();
  const phone = device(user, { store, fetch: server.fetch });
  await phone.keys.unlock({ password: PASSWORD });
  const { body: after } = await invoke(user.client, "chats/keys");
  const { iterations, memory_kib, passes } = passwordWrap(after);
  assert.deepEqual([iterations, memory_kib, passes, after.version], [undefined, 19_456, 2, 2]);
  const chat = await phone.save(phone.create(), "Hello");

  const unlock = () => phone.keys.unlock({ password: PASSWORD });
  const weakened = await server.telling(() => before, unlock);
  assert.equal((weakened as ChatsError).code, "password_weakened");
  await phone.keys.unlock({ password: PASSWORD });
  assert.deepEqual(await phone.open(chat.id), chat);
  const { body: same } = await invoke(user.client, "chats/keys");
  assert.equal(same.version, 2);

  // A way up, and none down.
  const costly = device(user, { store, password_cost: { memory_kib: 32_768, passes: 3 } });
  await costly.keys.unlock({ password: PASSWORD });
  const { body: higher } = await invoke(user.client, "chats/keys");
  assert.deepEqual([passwordWrap(higher).memory_kib, passwordWrap(higher).passes], [32_768, 3]);
  await phone.keys.unlock({ password: PASSWORD });
  await phone.keys.changePassword("another password");
  const { body: kept } = await invoke(user.client, "chats/keys");
  assert.equal(passwordWrap(kept).memory_kib, 32_768);
  assert.throws(
    () => device(user, { password_cost: { memory_kib: 8, passes: 1 } }),
    CryptoError,
  );
});

test("password: a server cannot use what Auth receives as a key", async () => {
  const user = await signUp();
  await setUpBefore(user);
  const server = new LyingServer();
  const phone = device(user, { fetch: server.fetch });
  // The server knows this value, and forges a wrap of a key of its own under it.
  const salt = btoa("strongroom sign-in\nada@example.com");
  const known = await oldSignInPassword("ada@example.com", PASSWORD);
  const bytes = Uint8Array.from(atob(known), (character) => character.charCodeAt(0));
  const usages: KeyUsage[] = ["wrapKey", "unwrapKey"];
  const key = await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, usages);
  const parameters = { salt, iterations: 600_000 };
  const under = { kind: "password", key, ...parameters } as const;
  const forged = await generateDataKey();
  const wrapped = await wrap(forged, { under, user_id: user.id });
  const error = await server.telling((answer) => ({
    ...answer,
    key_id: forged.key_id,
    keys: [{
      ...answer.keys[0],
      id: forged.key_id,
      wraps: [
        { ...passwordWrap(answer), ...parameters, wrap: wrapped },
      ],
    }],
  }), () => phone.keys.unlock({ password: PASSWORD }));
  assert.equal((error as CryptoError).code, "key_parameters_refused");
});

test("password: new ones are neither short nor among the first that attackers try", async () => {
  const user = await signUp();
  const chats = device(user);
  for (const short of ["", "short", "123456789", "👍👍👍👍👍"]) {
    await rejection(chats.keys.setUp(short), ChatsError, "password_too_short");
  }
  for (
    const common of [
      "1234567890",
      "Password123",
      "qwertyuiop",
      "aaaaaaaaaa",
      "abababababab",
      "abcdefghijklm",
      "jihgfedcba",
      "Iloveyou2024",
      "passwordpassword",
      "letmein12345!",
    ]
  ) {
    await rejection(chats.keys.setUp(common), ChatsError, "password_too_common");
  }
  const recoveryKey = await chats.keys.setUp(PASSWORD);
  await rejection(chats.keys.changePassword("short"), ChatsError, "password_too_short");
  const { keys } = device(user);
  await rejection(keys.recover(recoveryKey, "short"), ChatsError, "password_too_short");
  assert.equal(keys.locked, true);
});

test("signIn: an old sign-in password is replaced at the next sign-in", async () => {
  const supabase = createClient(stack.url, stack.publishableKey, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
  const email = `${crypto.randomUUID()}@example.com`;
  const old = await oldSignInPassword(email, PASSWORD);
  assert.equal((await supabase.auth.signUp({ email, password: old })).error, null);
  const account = { email, password: PASSWORD };
  assert.ok((await signIn(supabase, account)).error);
  assert.ok((await signIn(supabase, { email, password: "wrong", replaceOld: true })).error);
  assert.equal((await signIn(supabase, { ...account, replaceOld: true })).error, null);
  assert.equal((await signIn(supabase, account)).error, null);
  assert.ok((await supabase.auth.signInWithPassword({ email, password: old })).error);
});

test("password: a device remembers the costliest derivation, whoever opens the keys in between", async () => {
  const user = await signUp();
  const costly = { memory_kib: 32_768, passes: 3 };
  const store = new MemoryStore();
  const phone = device(user, { store, password_cost: costly });
  await phone.keys.setUp(PASSWORD);
  const key = await phone.keys.rememberDevice();
  const recoveryKey = await phone.keys.newRecoveryKey();
  const remembered = async () => (await store.state()).password_cost;
  assert.deepEqual(await remembered(), costly);
  // A program that would choose less.
  const again = device(user, { store });
  await again.keys.unlock({ device: key });
  assert.deepEqual(await remembered(), costly);
  await again.keys.recover(recoveryKey, "another password");
  assert.deepEqual(await remembered(), costly);
  const { body } = await invoke(user.client, "chats/keys");
  assert.equal(passwordWrap(body).memory_kib, costly.memory_kib);
});

Deno.test("signIn: only a wrong password makes it try the old one, which is easier to guess", async () => {
  const account = { email: "ada@example.com", password: PASSWORD, replaceOld: true };
  for (
    const [code, tried] of [
      ["invalid_credentials", 2],
      ["over_request_rate_limit", 1],
      ["email_not_confirmed", 1],
      [undefined, 1],
    ] as const
  ) {
    const sent: string[] = [];
    const auth = {
      signInWithPassword: ({ password }: { password: string }) => {
        sent.push(password);
        return Promise.resolve({ data: {}, error: { code } });
      },
    };
    const { error } = await signIn({ auth } as unknown as AnySupabaseClient, account);
    assert.equal(error?.code, code);
    assert.equal(sent.length, tried, String(code));
  }
});

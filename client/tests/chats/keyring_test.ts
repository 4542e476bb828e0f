import assert from "node:assert/strict";

import { invoke, signUp, test } from "../../../supabase/functions/_testing/testing.ts";
import { Capture, watchKeys } from "../support/capture.ts";
import { rejection } from "../support/assertions.ts";
import { device } from "../support/devices.ts";
import { ChatsError, CryptoError, MemoryStore } from "../../mod.ts";

/** Passwords of the chats, not of the sign-in, which Auth receives. */
const PASSWORDS = ["first chat password ö", "second chat password", "third chat password"] as const;

test("Keyring: new password, recovery, revoked device, rotation, and the server never gets a key", async () => {
  const user = await signUp();
  const capture = new Capture();
  const newDevice = () => device(user, { fetch: capture.fetch });
  const secrets: (string | Uint8Array)[] = [...PASSWORDS];
  const plaintexts = ["what the chat says first", "what was added to it", "what it is called"];
  const [content = "", segment = "", title = ""] = plaintexts;

  const keys = await watchKeys(async () => {
    const phone = newDevice();
    const recoveryKey = await phone.keys.setUp(PASSWORDS[0]);
    const saved = await phone.save(phone.create(), content, { title });
    const chat = await phone.append(saved, segment);

    // After a new password, the old one opens nothing.
    await phone.keys.changePassword(PASSWORDS[1]);
    const laptop = newDevice();
    const old = laptop.keys.unlock({ password: PASSWORDS[0] });
    await rejection(old, CryptoError, "decryption_failed");
    assert.equal(laptop.keys.locked, true);
    await laptop.keys.unlock({ password: PASSWORDS[1] });
    assert.deepEqual(await laptop.open(chat.id), chat);

    // The recovery key, on a new device.
    const tablet = newDevice();
    await tablet.keys.recover(recoveryKey.toLowerCase(), PASSWORDS[2]);
    assert.deepEqual(await tablet.open(chat.id), chat);
    const forgotten = newDevice().keys.unlock({ password: PASSWORDS[1] });
    await rejection(forgotten, CryptoError, "decryption_failed");

    // Devices unlock the keys without the password, until they are revoked.
    const tabletKey = await tablet.keys.rememberDevice();
    await laptop.keys.unlock({ password: PASSWORDS[2] });
    const laptopKey = await laptop.keys.rememberDevice();
    const again = newDevice();
    await again.keys.unlock({ device: laptopKey });
    assert.deepEqual(await again.open(chat.id), chat);
    const devices = await tablet.keys.devices();
    assert.deepEqual(
      devices.map((entry) => entry.device_id).sort(),
      [
        tabletKey.device_id,
        laptopKey.device_id,
      ].sort(),
    );
    await tablet.keys.revokeDevice(laptopKey.device_id);
    const revoked = newDevice().keys.unlock({ device: laptopKey });
    await rejection(revoked, ChatsError, "device_not_found");

    // The revoked device still has the data key: rotate.
    const { recoveryKey: newRecoveryKey, device: renewed } = await tablet.keys.rotate(PASSWORDS[2]);
    assert.ok(renewed && renewed.device_id !== tabletKey.device_id);
    secrets.push(recoveryKey, recoveryKey.replaceAll("-", ""));
    secrets.push(newRecoveryKey, newRecoveryKey.replaceAll("-", ""));
    await rejection(
      newDevice().keys.recover(recoveryKey, "yet another"),
      CryptoError,
      "decryption_failed",
    );
    const late = again.append(chat, "with the old key");
    await rejection(late, ChatsError, "keys_locked");
    assert.deepEqual(await again.open(chat.id), chat);
    const onTablet = newDevice();
    const replaced = onTablet.keys.unlock({ device: tabletKey });
    await rejection(replaced, ChatsError, "device_not_found");
    await onTablet.keys.unlock({ device: renewed });
    const longer = await onTablet.append(chat, "with the new key");
    await rejection(again.open(chat.id), ChatsError, "keys_locked");
    await again.keys.unlock({ password: PASSWORDS[2] });
    assert.deepEqual(await again.open(chat.id), longer);

    // The other envelopes are encrypted again.
    assert.deepEqual(await tablet.keys.progress(), { epoch: 2, done: 1, left: 3 });
    assert.deepEqual(await tablet.reencrypt(), { done: [chat.id], failed: [], after: null });
    assert.deepEqual(await tablet.keys.progress(), { epoch: 2, done: 2, left: 0 });
    const reopened = await again.open(chat.id);
    assert.deepEqual(
      [reopened.title, reopened.content],
      [title, `${content}${segment}with the new key`],
    );
    tablet.keys.lock();
    await rejection(tablet.open(chat.id), ChatsError, "keys_locked");
  });

  assert.ok(keys.length > 15 && capture.requests.length > 40, `${keys.length} keys`);
  secrets.push(...keys, ...plaintexts);
  for (const secret of secrets) {
    assert.deepEqual(capture.find(secret), [], `${secret}`);
  }
});

test(
  "Keyring: if two devices change the keys at once, one succeeds and the other gets an error",
  async () => {
    const user = await signUp();
    const [phone, laptop] = [device(user), device(user)];
    const setUps = await Promise.allSettled(
      [phone, laptop].map((chats) => chats.keys.setUp(PASSWORDS[0])),
    );
    assert.deepEqual(setUps.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    await Promise.all(
      [phone, laptop].map((chats) => chats.keys.unlock({ password: PASSWORDS[0] })),
    );

    const passwords = [PASSWORDS[1], PASSWORDS[2]];
    const changes = await Promise.allSettled([
      phone.keys.changePassword(PASSWORDS[1]),
      laptop.keys.changePassword(PASSWORDS[2]),
    ]);
    const lost = changes.findIndex(({ status }) => status === "rejected");
    const { reason } = changes[lost] as PromiseRejectedResult;
    // From the server, or from the client if it has already read the keys that the other device changed.
    const { code, status, fields } = reason;
    assert.ok(code === "keys_locked" || status === 409 && fields.version === 2, code);
    const loser = [phone, laptop][lost]!; // one of them has
    await rejection(loser.keys.changePassword("yet another"), ChatsError, "keys_locked");
    await loser.keys.unlock({ password: passwords[1 - lost]! }); // there are two
    await loser.keys.changePassword("yet another");
    await device(user).keys.unlock({ password: "yet another" });
  },
);

test("Keyring: a device that has seen a new key refuses a server that offers the old one", async () => {
  const user = await signUp();
  const phone = device(user);
  await phone.keys.setUp(PASSWORDS[0]);
  const store = new MemoryStore();
  const { body: older } = await invoke(user.client, "chats/keys");
  await phone.keys.rotate(PASSWORDS[0]);
  await device(user, { store }).keys.unlock({ password: PASSWORDS[0] });

  const lie = (answer: unknown) =>
    device(user, {
      store,
      fetch: (input, init) => {
        const { url, method } = new Request(input, init);
        const asked = method === "GET" && url.endsWith("/chats/keys");
        return asked ? Promise.resolve(Response.json(answer)) : fetch(input, init);
      },
    });
  const deceived = lie(older).keys.unlock({ password: PASSWORDS[0] });
  await rejection(deceived, ChatsError, "keys_rolled_back");
  await rejection(lie(older).keys.setUp(PASSWORDS[0]), ChatsError, "keys_rolled_back");
  await device(user, { store }).keys.unlock({ password: PASSWORDS[0] });
});

test("Keyring: each error has its code", async () => {
  const user = await signUp();
  const chats = device(user);
  await rejection(chats.keys.unlock({ password: "any" }), ChatsError, "keys_not_found");
  await rejection(chats.save(chats.create(), "Hello"), ChatsError, "keys_locked");
  await rejection(chats.keys.newRecoveryKey(), ChatsError, "keys_locked");
  await rejection(chats.keys.recover("SR", "yet another"), CryptoError, "malformed_recovery_key");
  assert.deepEqual(await chats.keys.progress(), { epoch: 0, done: 0, left: 0 });

  const first = await chats.keys.setUp(PASSWORDS[0]);
  const second = await chats.keys.newRecoveryKey();
  const other = device(user);
  await rejection(other.keys.recover(first, "yet another"), CryptoError, "decryption_failed");
  await other.keys.recover(second, PASSWORDS[1]);
  await rejection(other.keys.rotate("wrong"), CryptoError, "decryption_failed");
  await rejection(other.keys.setUp("once again"), ChatsError);
  await other.keys.revokeDevice(crypto.randomUUID());
});

test("Keyring: a rotation does not let a revoked device in again, and is not lost when no sync follows", async () => {
  const user = await signUp();
  let offline = false;
  const [phone, tablet] = [
    device(user),
    device(user, {
      attempts: 1,
      fetch: (input, init) =>
        offline && new Request(input, init).url.includes("sync_chats")
          ? Promise.reject(new TypeError("The network is down"))
          : fetch(input, init),
    }),
  ];
  await phone.keys.setUp(PASSWORDS[0]);
  await tablet.keys.unlock({ password: PASSWORDS[0] });
  for (const revoking of [phone, tablet]) {
    const { device_id } = await tablet.keys.rememberDevice();
    await revoking.keys.revokeDevice(device_id);
    offline = true;
    const { recoveryKey, device: renewed } = await tablet.keys.rotate(PASSWORDS[0]);
    offline = false;
    assert.equal(renewed, undefined);
    assert.deepEqual(await tablet.keys.devices(), []);
    await device(user).keys.recover(recoveryKey, PASSWORDS[0]);
    for (const { keys } of [phone, tablet]) await keys.unlock({ password: PASSWORDS[0] });
  }
});

test("Keyring: a device that revokes another does not overlook what a third has changed", async () => {
  const user = await signUp();
  const [phone, laptop] = [device(user), device(user)];
  await phone.keys.setUp(PASSWORDS[0]);
  await laptop.keys.unlock({ password: PASSWORDS[0] });
  const { device_id } = await laptop.keys.rememberDevice();
  await phone.keys.revokeDevice(device_id);
  assert.equal((await phone.sync()).keys_changed, true);
  await phone.keys.unlock({ password: PASSWORDS[0] });
  const { device_id: next } = await phone.keys.rememberDevice();
  await phone.keys.revokeDevice(next);
  assert.equal((await phone.sync()).keys_changed, false);
});

test("Keyring: after a recovery that was interrupted, a new recovery key leaves the keys open", async () => {
  const user = await signUp();
  let offline = true;
  const recoveryKey = await device(user).keys.setUp(PASSWORDS[0]);
  const { keys } = device(user, {
    attempts: 1,
    fetch: (input, init) =>
      offline && new Request(input, init).method === "PUT"
        ? Promise.reject(new TypeError("The network is down"))
        : fetch(input, init),
  });
  await rejection(keys.recover(recoveryKey, PASSWORDS[1]), ChatsError, "unreachable");
  offline = false;
  await keys.newRecoveryKey();
  await keys.changePassword(PASSWORDS[1]);
  await device(user).keys.unlock({ password: PASSWORDS[1] });
});

test("Keyring: after a rotation elsewhere, the keys are read again, once for all envelopes that need them", async () => {
  const user = await signUp();
  const phone = device(user);
  let asked = 0;
  let offline = false;
  const laptop = device(user, {
    attempts: 1,
    fetch: (input, init) => {
      if (!new Request(input, init).url.endsWith("/chats/keys")) return fetch(input, init);
      asked++;
      return offline ? Promise.reject(new TypeError("The network is down")) : fetch(input, init);
    },
  });
  await phone.keys.setUp(PASSWORDS[0]);
  await laptop.keys.unlock({ password: PASSWORDS[0] });
  await phone.keys.rotate(PASSWORDS[0]);
  const chat = await phone.save(phone.create(), "content", { title: "title" });
  await phone.append(chat, "segment");
  for (const [down, code] of [[true, "unreachable"], [false, "keys_locked"]] as const) {
    offline = down;
    asked = 0;
    await rejection(laptop.open(chat.id), ChatsError, code);
    assert.equal(asked, 1);
  }
});

/**
 * Users whose keys, chats and devices were written by earlier versions of the client: everything opens, and is upgraded
 * without a question.
 */

import assert from "node:assert/strict";

import { invoke, test } from "../../../supabase/functions/_testing/testing.ts";
import type { Chats } from "../../mod.ts";
import { device } from "../support/devices.ts";
import { type EarlierChat, type EarlierUser, withEarlierUser } from "../support/earlier_clients.ts";

/** What a device shows of its chats, except those of format 1. */
async function shown(chats: Chats, of: readonly EarlierChat[]): Promise<EarlierChat[]> {
  const open = of.map(async ({ id }) => {
    const { title, content, segments, is_starred } = await chats.open(id);
    return { id, title: title!, content, segments: [...segments], is_starred }; // each has one
  });
  return await Promise.all(open);
}

/** Opens, lists, syncs and changes; then a second device, a rotation, and a closed epoch. */
async function upgrades({ user, password, device: key, store, v1, chats }: EarlierUser) {
  const [a, b, c, d] = chats as [EarlierChat, EarlierChat, EarlierChat, EarlierChat];
  // The device that was used before, with its own key and what it had stored.
  const phone = device(user, { store });
  await phone.keys.unlock({ device: key });
  assert.deepEqual(await shown(phone, [a, b, c]), [a, b, c]);
  const { removed, rolled_back, unproven, started_over } = await phone.sync();
  assert.deepEqual([removed, rolled_back, unproven, started_over], [[], [], [], false]);
  const titles = async (chats: Chats) =>
    Object.fromEntries((await chats.list()).map(({ id, title }) => [id, title]));
  assert.deepEqual(await titles(phone), {
    ...{ [a.id]: a.title, [b.id]: b.title, [c.id]: c.title },
    [d.id]: null,
  });
  await phone.keys.readV1(v1.password, v1.salt);
  assert.deepEqual(await shown(phone, [d]), [d]);

  // Each kind of change gives a chat its head, whether it was read from the server or the store.
  assert.equal((await phone.append(await phone.open(a.id), "A3 ")).verified, true);
  const summary = (await phone.list()).find(({ id }) => id === b.id)!;
  assert.equal((await phone.rename(summary, "B again")).verified, true);
  assert.equal((await phone.star(await phone.open(c.id), true)).verified, true);
  assert.equal((await phone.sync()).verified, true);
  const now = [
    { ...a, segments: [...a.segments, "A3 "] },
    { ...b, title: "B again" },
    { ...c, is_starred: true },
  ];
  assert.deepEqual(await shown(phone, now), now);

  // A second device has nothing but the password.
  const laptop = device(user);
  await laptop.keys.unlock({ password });
  const { body } = await invoke(user.client, "chats/keys");
  const wrap = body.keys[0].wraps.find(({ kind }: { kind: string }) => kind === "password");
  assert.deepEqual([wrap.memory_kib, wrap.passes, wrap.iterations], [19_456, 2, undefined]);
  assert.ok(body.proof_number >= 1);
  assert.equal((await laptop.sync()).verified, true);
  assert.deepEqual(await shown(laptop, now), now);
  await laptop.keys.readV1(v1.password, v1.salt);
  assert.deepEqual(await shown(laptop, [d]), [d]);

  // A rotation: the phone has a new key under the same name, and all chats move on, also that of format 1.
  const { device: renewed } = await phone.keys.rotate(password);
  assert.match(phone.keys.current.key_id, /^.{14}8/);
  const { done, failed } = await phone.reencrypt();
  assert.deepEqual([new Set(done), failed], [new Set(chats.map(({ id }) => id)), []]);
  await phone.closeEpochs();
  phone.keys.forgetV1();
  const joined = [...now, d].map(({ content, segments, ...chat }) => (
    { ...chat, content: [content, ...segments].join(""), segments: [] }
  ));
  assert.deepEqual(await shown(phone, joined), joined);
  laptop.keys.forgetV1();
  await laptop.keys.unlock({ password });
  assert.equal((await laptop.sync()).verified, true);
  assert.deepEqual(await shown(laptop, joined), joined);
  const restarted = device(user, { store });
  await restarted.keys.unlock({ device: renewed! });
  assert.equal((await restarted.sync()).verified, true);
  for (const { verified } of await restarted.list()) assert.equal(verified, true);
  await restarted.delete(await restarted.open(c.id));
  assert.deepEqual((await laptop.sync()).removed, [c.id]);
}

test("earlier formats: PBKDF2, ids that are not bound to keys, no proofs and no heads", () =>
  withEarlierUser("pbkdf2", upgrades));

test("earlier formats: Argon2id, proofs, and no heads", () =>
  withEarlierUser("argon2id", upgrades));

test("earlier formats: the recovery key opens what an earlier client has written", () =>
  withEarlierUser("pbkdf2", async ({ user, recovery_key, chats }) => {
    const laptop = device(user);
    await laptop.keys.recover(recovery_key, "another password");
    assert.deepEqual(await shown(laptop, chats.slice(0, 3)), chats.slice(0, 3));
    const phone = device(user);
    await phone.keys.unlock({ password: "another password" });
    assert.equal((await phone.save(phone.create(), "new")).verified, true);
  }));

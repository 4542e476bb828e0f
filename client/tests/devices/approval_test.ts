/**
 * A device lets another in: as it should be, with reloads, refusals and limits.
 */

import assert from "node:assert/strict";

import { invoke, test, withDatabase } from "../../../supabase/functions/_testing/testing.ts";
import { sealHistory } from "../../crypto/mod.ts";
import { Approval, NewDevice, waitingDevices } from "../../devices/devices.ts";
import { Chats, ChatsError, MemoryStore } from "../../mod.ts";
import { ApprovingDevice, letIn, PASSWORD, POLL, twoDevices } from "../support/approvals.ts";
import { rejection } from "../support/assertions.ts";
import type { Json, Lie } from "../support/lying_server.ts";
import { startProxy } from "../support/proxy.ts";

test("approval: a new device gets the keys by a typed code, and no password", async () => {
  const { user, phone, laptop, chat } = await twoDevices();
  const device = await laptop.begin();
  assert.match(device.code, /^[0-9A-Z]{4}-[0-9A-Z]{4}$/);
  const [waiting, ...others] = await waitingDevices(phone.options);
  assert.deepEqual(others, []);
  const accepted = device.accept(POLL);
  const approval = await phone.read(device.code.toLowerCase());
  assert.equal(approval.id, waiting!.id);
  assert.equal(await approval.name(POLL), "Firefox on Linux");
  await approval.approve();
  const key = await accepted;

  assert.equal(key.key.extractable, false);
  assert.deepEqual([phone.state, laptop.state], [null, null]);
  assert.equal((await laptop.chats.open(chat.id)).content, "Hello");
  assert.equal(await laptop.chats.code(), await phone.chats.code());
  assert.deepEqual(
    (await phone.chats.keys.devices()).map(({ device_id }) => device_id),
    [key.device_id],
  );
  await new ApprovingDevice(user).chats.keys.unlock({ device: key });
  // The new device can do what the old one could: it has the keys, not a view of them.
  await laptop.chats.keys.changePassword("another password");
  await new ApprovingDevice(user).chats.keys.unlock({ password: "another password" });
  const { body } = await invoke(user.client, "chats/approvals");
  assert.deepEqual(
    [body.approvals.length, body.approvals[0].closed, body.approvals[0].answer],
    [1, "done", null],
  );
});

test("approval: a scanned code, also after a rotation, with older keys and closed epochs", async () => {
  const { user, phone, laptop, chat } = await twoDevices();
  await phone.chats.keys.rotate(PASSWORD);
  await phone.chats.sync();
  while ((await phone.chats.reencrypt()).after) { /* goes on */ }
  await phone.chats.closeEpochs();
  const device = await laptop.begin("Chromium");
  // The text says which one it is, though another is newer.
  await new ApprovingDevice(user).begin();
  const accepted = device.accept(POLL);
  const approval = await phone.read(device.qr);
  assert.equal(await approval.name(POLL), "Chromium");
  await approval.approve();
  await accepted;
  assert.equal((await laptop.chats.open(chat.id)).content, "Hello");
  const { min_epoch, key_id } = await laptop.chats.store.state();
  assert.equal(min_epoch, key_id);
});

test("approval: either page can be reloaded at every step", async () => {
  const { user, phone, laptop, chat } = await twoDevices();
  await laptop.begin();
  const reload = () => NewDevice.resume(laptop.options, laptop.state!);
  const first = await reload();
  const leaving = new AbortController();
  const left = first.accept({ ...POLL, signal: leaving.signal }).catch((error) => error.name);
  leaving.abort();
  assert.equal(await left, "AbortError");

  const approval = await phone.read((await reload()).code);
  const kept = phone.state!;
  assert.equal(approval.id, JSON.parse(kept).id);
  const leavingAgain = new AbortController();
  const asked = (await reload()).accept({ ...POLL, signal: leavingAgain.signal })
    .catch((error) => error.name);
  const again = await Approval.resume(phone.options, kept);
  assert.equal(await again.name(POLL), "Firefox on Linux");
  leavingAgain.abort();
  assert.equal(await asked, "AbortError");

  const last = await Approval.resume(phone.options, phone.state!);
  await rejection(last.approve(), ChatsError, "invalid_argument");
  await last.name(POLL);
  await last.approve();
  const key = await (await reload()).accept(POLL);
  await new ApprovingDevice(user).chats.keys.unlock({ device: key });
  assert.equal((await laptop.chats.open(chat.id)).content, "Hello");
});

test("approval: it can be refused or given up, and is then of no use", async () => {
  const { phone, laptop } = await twoDevices();
  const device = await laptop.begin();
  const accepted = rejection(device.accept(POLL), ChatsError, "approval_refused");
  const approval = await phone.read(device.code);
  await approval.name(POLL);
  await approval.refuse();
  await accepted;
  await rejection(approval.approve(), ChatsError, "approval_closed");
  await rejection(phone.read(device.code), ChatsError, "approval_not_found");

  const another = await laptop.begin();
  await another.cancel();
  await rejection(phone.read(another.qr), ChatsError, "approval_not_found");
  assert.equal((await phone.chats.keys.devices()).length, 0);
});

test("approval: a code is used once, and not after ten minutes", async () => {
  const { user, phone, laptop } = await twoDevices();
  const used = await laptop.begin();
  const accepted = used.accept(POLL);
  const approval = await phone.read(used.code);
  await approval.name(POLL);
  await approval.approve();
  await accepted;
  await rejection(phone.read(used.qr), ChatsError, "approval_not_found");

  const tablet = new ApprovingDevice(user);
  const device = await tablet.begin();
  const kept = tablet.state!;
  await withDatabase((sql) =>
    sql`update chat_approvals set expires_at = now() where user_id = ${user.id}`
  );
  await rejection(device.accept(POLL), ChatsError, "approval_expired");
  await rejection(phone.read(device.code), ChatsError, "approval_not_found");
  // By the clock of the device, whatever the server says.
  const over = JSON.stringify({ ...JSON.parse(kept), until: Date.now() - 1 });
  await rejection(NewDevice.resume(tablet.options, over), ChatsError, "approval_expired");
  await rejection(NewDevice.resume(tablet.options, "{}"), ChatsError, "invalid_argument");
  await rejection(Approval.resume(phone.options, kept), ChatsError, "invalid_argument");
});

test("approval: few new devices wait at the same time", async () => {
  const { phone, laptop } = await twoDevices();
  for (let count = 0; count < 3; count++) await laptop.begin();
  const refused = await rejection(laptop.begin(), ChatsError, "too_many_approvals");
  assert.deepEqual([refused.status, refused.fields.limit], [429, 3]);
  const { id } = (await waitingDevices(phone.options))[0]!; // there are three
  const { error } = await phone.options.supabase.functions.invoke(`chats/approvals/${id}`, {
    method: "PATCH",
    body: { closed: "refused" },
  });
  assert.equal(error, null);
  await laptop.begin();
});

test("approval: a device whose keys are locked lets nobody in", async () => {
  const { user, laptop } = await twoDevices();
  const device = await laptop.begin();
  const locked = new ApprovingDevice(user);
  await rejection(locked.read(device.code), ChatsError, "keys_locked");
  await rejection(locked.read("0000-0001"), ChatsError, "approval_code_mistyped");
});

test("approval: lost responses do no harm", async () => {
  const { user, phone, chat } = await twoDevices();
  const lost = new Set<string>();
  await using proxy = startProxy((route, count) => {
    if (count > 0 || route.startsWith("GET")) return "deliver";
    lost.add(route.replace(/[0-9a-f-]{36}/, "ID"));
    return "lose answer";
  });
  const laptop = new ApprovingDevice(user, new MemoryStore(), proxy.url);
  await letIn(phone, laptop);
  assert.deepEqual([...lost].sort(), [
    "PATCH /chats/approvals/ID",
    "POST /chats/approvals",
    "PUT /chats/keys",
  ]);
  assert.equal((await laptop.chats.open(chat.id)).content, "Hello");
  assert.equal((await phone.chats.keys.devices()).length, 1);
});

test("approval: a device that has seen another branch of the history is not let into this one", async () => {
  const { user, phone } = await twoDevices();
  const writers = { "0123456789abcdef": 1 };
  const content = { chats: 0, min_epoch: 1 as const, sum: new Uint8Array(32), writers };
  const sealed = await sealHistory(content, user.id, 1, phone.chats.keys.current);
  await phone.chats.save(phone.chats.create(), "in the branch of the phone");
  const store = new MemoryStore();
  await store.apply({ state: { history: { counter: 1, sealed } } });
  const laptop = new ApprovingDevice(user, store);
  await rejection(letIn(phone, laptop), ChatsError, "history_forked");
  assert.equal(laptop.chats.keys.locked, true);
  assert.deepEqual(await phone.chats.keys.devices(), []);
});

test("approval: a new device knows what the other has seen, before the server tells it anything", async () => {
  const { user, phone } = await twoDevices();
  await phone.chats.keys.rotate(PASSWORD);
  await phone.chats.reencrypt();
  await phone.chats.closeEpochs();
  const { supabase, ...options } = new ApprovingDevice(user).options;
  const unreachable = new ApprovingDevice(user);
  unreachable.server.lie = (_, { path }) =>
    path === "rpc/sync_chats" ? new Response("{}", { status: 503 }) : undefined;
  const chats = new Chats(unreachable.options.supabase, user.id, { attempts: 1 });
  const device = await NewDevice.begin({ ...options, supabase, chats }, "Firefox");
  const accepted = device.accept(POLL);
  const approval = await phone.read(device.code);
  await approval.name(POLL);
  await approval.approve();
  await accepted;
  const { min_epoch, password_cost, history } = await phone.chats.store.state();
  assert.equal(min_epoch, phone.chats.keys.current.key_id);
  assert.ok(password_cost);
  const taken = await chats.store.state();
  assert.deepEqual(
    [taken.min_epoch, taken.password_cost, taken.history],
    [min_epoch, password_cost, history],
  );
});

test("approval: the device that has the keys learns the present state before it hands them over", async () => {
  const { user, phone, laptop, chat } = await twoDevices();
  await phone.chats.sync();
  const old = (await user.client.rpc("sync_chats", { with_titles: true })).data;
  const inSync = (change: (answer: Json) => Json): Lie => (answer, { path }) =>
    path.startsWith("rpc/sync_chats") ? change(answer) : undefined;
  const tablet = new ApprovingDevice(user);
  await tablet.chats.keys.unlock({ password: PASSWORD });
  await tablet.chats.append(await tablet.chats.open(chat.id), ", world");
  // Only the tablet has seen what the server hides from the new device.
  laptop.server.lie = inSync(() => old);
  await rejection(letIn(phone, laptop), ChatsError, "history_rolled_back");
  assert.equal(laptop.chats.keys.locked, true);

  // The server hides it from the device that has the keys: this one hands nothing over.
  laptop.server.lie = undefined;
  phone.server.lie = inSync((answer) => ({ ...answer, changes: [], history: old!.history }));
  const leaving = new AbortController();
  const device = await laptop.begin();
  const accepted = device.accept({ ...POLL, signal: leaving.signal }).catch(() => {});
  const approval = await phone.read(device.code);
  await approval.name(POLL);
  await rejection(approval.approve(), ChatsError, "history_rolled_back");
  const { data } = await user.client.from("chat_approvals").select("answer").eq("id", approval.id);
  assert.deepEqual(data, [{ answer: null }]);
  leaving.abort();
  await accepted;
});

test("approval: after ten minutes by their own clocks, both devices take no more part in it", async () => {
  const { phone, laptop } = await twoDevices();
  const device = await laptop.begin();
  const leaving = new AbortController();
  const greeting = device.accept({ ...POLL, signal: leaving.signal }).catch(() => {});
  const approval = await phone.read(device.code);
  await approval.name(POLL);
  leaving.abort();
  await greeting;
  const { now } = Date;
  Date.now = () => now() + 11 * 60 * 1000;
  try {
    await rejection(approval.approve(), ChatsError, "approval_expired");
    const waiting = new AbortController();
    let looked = 0;
    laptop.server.lie = () => void (++looked > 5 && waiting.abort());
    const late = device.accept({ ...POLL, signal: waiting.signal });
    await rejection(late, ChatsError, "approval_expired");
  } finally {
    Date.now = now;
  }
});

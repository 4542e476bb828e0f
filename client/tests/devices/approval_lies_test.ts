/**
 * A server that lies about approvals. It may play either device, but it does not know the code.
 */

import assert from "node:assert/strict";

import { invoke, test } from "../../../supabase/functions/_testing/testing.ts";
import { generateCode, readCode } from "../../devices/approval_code.ts";
import { openMessage, sealMessage } from "../../devices/approval_keys.ts";
import { ApprovalSide, newState } from "../../devices/approval_state.ts";
import { Approval } from "../../devices/devices.ts";
import { ChatsError, CryptoError } from "../../mod.ts";
import {
  aboutRows,
  ApprovingDevice,
  letIn,
  PASSWORD,
  POLL,
  twoDevices,
} from "../support/approvals.ts";
import { rejection } from "../support/assertions.ts";
import type { Json } from "../support/lying_server.ts";

type Devices = Awaited<ReturnType<typeof twoDevices>>;

/** The newest row of a user's approvals, as the server has it. */
async function rowOf({ user }: Pick<Devices, "user">): Promise<Json> {
  return (await invoke(user.client, "chats/approvals")).body.approvals[0];
}

/** The server, which plays one of the devices with a code that it guesses. */
function playing(
  { user, phone }: Devices,
  role: "new" | "old",
  known: { id: string; code: string; other?: string },
): ApprovalSide {
  const { supabase, chats } = phone.options;
  const state = newState(role, { ...known, name: "Firefox on Linux" });
  return new ApprovalSide({ supabase, chats, user_id: user.id }, state);
}

test("approval lies: the server plays the new device, and guesses the code", async () => {
  const devices = await twoDevices();
  const { phone, laptop } = devices;
  for (const guessed of [false, true]) {
    const device = await laptop.begin();
    const { id } = await rowOf(devices);
    const code = guessed ? readCode(device.code).code : generateCode();
    const server = playing(devices, "new", { id, code });
    const forged = { share: await server.share(), hello: null as string | null };
    phone.server.lie = aboutRows((row) => row.id === id ? { ...row, ...forged } : row);
    const approval = await phone.read(device.code);
    await server.keep({ other: (await rowOf(devices)).reply });
    const name = { name: "Firefox on Linux" };
    forged.hello = await sealMessage(await server.keys(), "hello", server.place, name);
    // The code is all that the server lacks: this shows that the lie is told as it should be.
    if (guessed) assert.equal(await approval.name(POLL), name.name);
    else await rejection(approval.name(POLL), ChatsError, "approval_code_wrong");
    await rejection(
      approval.approve(),
      ChatsError,
      guessed ? "approval_out_of_turn" : "invalid_argument",
    );
    phone.server.lie = undefined;
    await approval.refuse();
  }
  assert.deepEqual(await phone.chats.keys.devices(), []);
});

test("approval lies: the server plays the device that has the keys, and guesses the code", async () => {
  const devices = await twoDevices();
  const { laptop } = devices;
  for (const guessed of [false, true]) {
    const device = await laptop.begin();
    const { id, share } = await rowOf(devices);
    const code = guessed ? readCode(device.code).code : generateCode();
    const server = playing(devices, "old", { id, code, other: share });
    const forged: Json = { reply: await server.share() };
    const lie = aboutRows((row) => row.id === id ? { ...row, ...forged } : row);
    laptop.server.lie = (answer, request) =>
      request.method === "PATCH" ? { ...forgedRow, ...forged } : lie(answer, request);
    const forgedRow = await rowOf(devices);
    const accepted = device.accept(POLL).catch((error: unknown) => error);
    while (!JSON.parse(laptop.state!).hello) await new Promise((resolve) => setTimeout(resolve, 5));
    const { hello } = JSON.parse(laptop.state!);
    const keys = await server.keys();
    const opened = openMessage(keys, "hello", server.place, hello);
    if (guessed) assert.deepEqual(await opened, { name: "Firefox on Linux" });
    else await rejection(opened, CryptoError, "decryption_failed");
    const answer = await sealMessage(keys, "answer", server.place, { key_id: crypto.randomUUID() });
    Object.assign(forged, { hello, answer });
    const error = await accepted as ChatsError;
    assert.equal(error.code, guessed ? "keys_rolled_back" : "approval_false");
    assert.equal(laptop.chats.keys.locked, true);
    laptop.server.lie = undefined;
    await device.cancel();
  }
});

test("approval lies: who records all messages, and later learns the code, opens none", async () => {
  const devices = await twoDevices();
  const { phone, laptop } = devices;
  const device = await laptop.begin();
  const accepted = device.accept(POLL);
  const approval = await phone.read(device.code);
  await approval.name(POLL);
  const row = await rowOf(devices);
  await approval.approve();
  await accepted;
  const { code } = readCode(device.code);
  for (const [role, other] of [["new", row.reply], ["old", row.share]] as const) {
    const server = playing(devices, role, { id: row.id, code, other });
    const opened = openMessage(await server.keys(), "hello", server.place, row.hello);
    await rejection(opened, CryptoError, "decryption_failed");
  }
});

test("approval lies: another share, reply, message or row", async () => {
  const devices = await twoDevices();
  const { user, phone, laptop } = devices;
  const tablet = new ApprovingDevice(user);
  // An approval that succeeds, for the server to repeat.
  const first = await laptop.begin();
  const firstAccepted = first.accept(POLL);
  const firstApproval = await phone.read(first.code);
  await firstApproval.name(POLL);
  const hello = (await rowOf(devices)).hello;
  await firstApproval.approve();
  const { answer } = await rowOf(devices);
  await firstAccepted;

  // The share of a scanned code.
  const scanned = await tablet.begin();
  const { id, share } = await rowOf(devices);
  const other = await playing(devices, "new", { id, code: generateCode() }).share();
  phone.server.lie = aboutRows((row) => ({ ...row, share: other }));
  await rejection(phone.read(scanned.qr), ChatsError, "approval_false");
  phone.server.lie = aboutRows((row) => ({ ...row, share: btoa("\0".repeat(32)) }));
  await rejection(phone.read(scanned.code), ChatsError, "approval_false");
  tablet.server.lie = aboutRows((row) => ({ ...row, share: other, reply: other }));
  await rejection(scanned.accept(POLL), ChatsError, "approval_false");

  // Two waiting devices, mixed up.
  tablet.server.lie = undefined;
  const desktop = new ApprovingDevice(user);
  const mixed = await desktop.begin();
  const mixedId = JSON.parse(desktop.state!).id;
  const waiting = mixed.accept(POLL).catch((error: ChatsError) => error.code);
  phone.server.lie = aboutRows((row, rows) => {
    const twin = rows.find((one: Json) => one.id === (row.id === id ? mixedId : id)) ?? row;
    return { ...twin, id: row.id, reply: row.reply };
  });
  const misled = await phone.read(mixed.code, mixedId);
  phone.server.lie = undefined;
  await rejection(misled.name(POLL), ChatsError, "approval_code_wrong");
  assert.equal(await waiting, "approval_refused");

  // Messages of an earlier approval.
  const again = await phone.read(scanned.qr);
  const kept = phone.state!;
  const accepted = scanned.accept(POLL).catch((error: ChatsError) => error.code);
  phone.server.lie = aboutRows((row) => row.id === id ? { ...row, hello } : row);
  tablet.server.lie = aboutRows((row) => row.id === id && row.hello ? { ...row, answer } : row);
  assert.equal(await accepted, "approval_false");
  phone.server.lie = undefined;
  assert.equal(await again.name(POLL), "Firefox on Linux");
  // Another reply than the one that was taken: each would be a guess.
  // So is another greeting than the one that was sent. A device that believes either waits for an answer in vain.
  for (const change of [{ reply: share }, { hello }]) {
    const waiting = new AbortController();
    let told = 0;
    tablet.server.lie = aboutRows((row) => {
      if (row.id !== id) return row;
      if (++told > 3) waiting.abort();
      return { ...row, ...change };
    });
    const misled = scanned.accept({ ...POLL, signal: waiting.signal });
    await rejection(misled, ChatsError, "approval_false");
  }
  // Now the earlier greeting is opened in place of the true one.
  phone.server.lie = aboutRows((row) => row.id === id ? { ...row, hello } : row);
  const resumed = await Approval.resume(phone.options, kept);
  await rejection(resumed.name(POLL), ChatsError, "approval_code_wrong");
  assert.equal((await phone.chats.keys.devices()).length, 1);
});

test("approval lies: a new device of another account", async () => {
  const [mine, theirs] = [await twoDevices(), await twoDevices()];
  const device = await theirs.laptop.begin();
  const row = await rowOf(theirs);
  const { id } = row;
  // The user types the code of a device that is not theirs, and the server passes the messages on.
  mine.phone.server.lie = (answer, { method }) =>
    answer.code === "approval_not_found" || method === "GET" && "approvals" in answer
      ? method === "GET" ? { approvals: [forged] } : { ...forged }
      : undefined;
  const forged: Json = { ...row };
  const approval = await mine.phone.read(device.code);
  const { code, scalar } = JSON.parse(mine.phone.state!);
  const own = newState("old", { id, code, other: row.share });
  const side = new ApprovalSide(mine.phone.options, { ...own, scalar });
  theirs.laptop.server.lie = aboutRows((one) => ({ ...one, reply: forged.reply }));
  forged.reply = await side.share();
  const leaving = new AbortController();
  const accepted = device.accept({ ...POLL, signal: leaving.signal }).catch((error) => error);
  while (!JSON.parse(theirs.laptop.state!).hello) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  forged.hello = JSON.parse(theirs.laptop.state!).hello;
  await rejection(approval.name(POLL), ChatsError, "approval_code_wrong");
  leaving.abort();
  await accepted;
});

test("approval lies: a wrong code lets nobody in, and uses the approval up", async () => {
  const { phone, laptop } = await twoDevices();
  const device = await laptop.begin();
  const accepted = rejection(device.accept(POLL), ChatsError, "approval_refused");
  const approval = await phone.read(generateCode());
  await rejection(approval.name(POLL), ChatsError, "approval_code_wrong");
  await accepted;
  await rejection(phone.read(device.code), ChatsError, "approval_not_found");
});

test("approval lies: a stolen session begins one, and gets in only if the user types its code", async () => {
  const { user, phone, laptop, chat } = await twoDevices();
  const device = await laptop.begin();
  const thief = new ApprovingDevice(user);
  const stolen = await thief.begin();
  const refused = rejection(stolen.accept(POLL), ChatsError, "approval_refused");
  // The newest is the thief's, but the user types the code of the laptop.
  const misled = await phone.read(device.code);
  await rejection(misled.name(POLL), ChatsError, "approval_code_wrong");
  await refused;
  assert.equal(thief.chats.keys.locked, true);
  const accepted = device.accept(POLL);
  const approval = await phone.read(device.code);
  await approval.name(POLL);
  await approval.approve();
  await accepted;
  assert.equal((await laptop.chats.open(chat.id)).content, "Hello");
  // This works: the user types what the thief says.
  await letIn(phone, thief);
  assert.equal((await thief.chats.open(chat.id)).content, "Hello");
  assert.equal((await phone.chats.keys.devices()).length, 2);
});

test("approval lies: an older state than the other device has seen is noticed at once", async () => {
  const devices = await twoDevices();
  const { user, phone, laptop, chat } = devices;
  await phone.chats.sync();
  const old = (await user.client.rpc("sync_chats", { with_titles: true })).data;
  await phone.chats.append(chat, ", world");
  laptop.server.lie = (_, { path }) => path.startsWith("rpc/sync_chats") ? old : undefined;
  const told = await letIn(phone, laptop).catch((error: ChatsError) => error.code);
  assert.equal(told, "history_rolled_back");
  assert.equal(laptop.chats.keys.locked, true);
  laptop.server.lie = undefined;
  assert.deepEqual(await phone.chats.keys.devices(), []);

  const { body: keys } = await invoke(user.client, "chats/keys");
  await phone.chats.keys.rotate(PASSWORD);
  laptop.server.lie = (_, { method, path }) =>
    method === "GET" && path === "chats/keys" ? keys : undefined;
  const toldKeys = await letIn(phone, laptop).catch((error: ChatsError) => error.code);
  assert.equal(toldKeys, "keys_rolled_back");
});

test("approval lies: keys that were rotated meanwhile are not taken", async () => {
  const { phone, laptop } = await twoDevices();
  const device = await laptop.begin();
  const approval = await readAndName(phone, device);
  await approval.approve();
  await phone.chats.keys.rotate(PASSWORD);
  await rejection(device.accept(POLL), ChatsError, "approval_outdated");
});

/** Brings a new device to the point where only the answer is missing. */
async function readAndName(
  phone: ApprovingDevice,
  device: Awaited<ReturnType<ApprovingDevice["begin"]>>,
): Promise<Approval> {
  const leaving = new AbortController();
  const greeting = device.accept({ ...POLL, signal: leaving.signal }).catch(() => {});
  const approval = await phone.read(device.code);
  await approval.name(POLL);
  leaving.abort();
  await greeting;
  return approval;
}

/**
 * Several devices of one user change the same chats at random, over a network that loses requests and answers and
 * delivers requests twice. In the end, all devices must agree, and their state must follow from the answers that they got.
 * `SOAK=10` takes ten times as many steps. `SEED=...` repeats the choices of a failed run; the order in which the server
 * handles the requests still varies.
 */

import assert from "node:assert/strict";

import {
  signUp,
  soak,
  test,
  type TestUser,
  withDatabase,
} from "../../../supabase/functions/_testing/testing.ts";
import { device } from "../support/devices.ts";
import { seededRandom } from "../support/faulty_network.ts";
import { type FinalState, Journal, stateOf } from "../support/journal.ts";
import { RandomDevice } from "../support/random_device.ts";
import type { Chats } from "../../mod.ts";
import { type DataKey, decryptText } from "../../crypto/mod.ts";

/** As many devices act at the same time. */
const MOST_AT_ONCE = 10;

const PASSWORD = "one password for all devices";

test("2 devices change chats at random and end in the same state", () => runAtRandom(2, 120));

test("50 devices change chats at random and end in the same state", () => runAtRandom(50, 3));

test("10 devices change chats at random and end in the same state", () => runAtRandom(10, 25));

async function runAtRandom(count: number, steps: number): Promise<void> {
  const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 2 ** 32));
  try {
    await withSmallPages(() => run(count, steps * soak, seededRandom(seed)));
  } catch (error) {
    if (error instanceof Error) error.message += `\nThe choices were those of SEED=${seed}`;
    throw error;
  }
}

/** Makes pages small, so that other devices change a chat between two of its pages. */
async function withSmallPages(run: () => Promise<void>): Promise<void> {
  await withDatabase(async (sql) => {
    const name = "chats.max_page_bytes";
    const [{ value } = {}] = await sql`select value from private.settings where name = ${name}`;
    await sql`update private.settings set value = 1024 where name = ${name}`;
    try {
      await run();
    } finally {
      await sql`update private.settings set value = ${value} where name = ${name}`;
    }
  });
}

async function run(count: number, steps: number, random: () => number): Promise<void> {
  const user = await signUp();
  const journal = new Journal();
  const devices = Array.from(
    { length: count },
    (_, index) => new RandomDevice(user, index, seededRandom(random() * 2 ** 32), journal),
  );
  // One device makes the keys of all: deriving one from the password takes as long as many steps.
  const { keys } = device(user);
  await keys.setUp(PASSWORD);
  for (const each of devices) await each.unlock(await keys.rememberDevice());

  for (const { network } of devices) network.faulty = true;
  const left = devices.map(() => steps);
  await Promise.all(Array.from({ length: Math.min(count, MOST_AT_ONCE) }, async (_, first) => {
    // Each of them lets its share of the devices act, in a random order.
    const share = devices.map((_, index) => index).filter((index) =>
      index % MOST_AT_ONCE === first
    );
    for (;;) {
      const active = share.filter((index) => left[index]! > 0);
      const index = active[Math.floor(random() * active.length)];
      if (index === undefined) break;
      left[index]!--;
      await devices[index]!.step();
    }
  }));

  for (const { network } of devices) network.faulty = false;
  await Promise.all(devices.map(({ network }) => network.settled()));
  for (const each of devices) await each.finish();
  await compare(user, devices.map(({ chats }) => chats), journal);

  const kinds = Map.groupBy(
    journal.entries,
    ({ outcome }) => typeof outcome === "number" ? "made" : outcome,
  );
  const faults = devices.flatMap(({ network }) => Object.values(network.faults));
  const told = devices.reduce((sum, { conflicts }) => sum + conflicts.length, 0);
  assert.equal(told, kinds.get("conflict")?.length ?? 0);
  assert.ok(
    faults.some((times) => times > 0) && told > 0 && kinds.get("made"),
    "The run had no fault, no conflict or no change",
  );
}

/** Checks that all devices, a new one and the database agree, and that their state follows from the answers. */
async function compare(user: TestUser, devices: Chats[], journal: Journal): Promise<void> {
  const fresh = device(user);
  await fresh.keys.unlock({ password: PASSWORD });
  const codes = new Set<string | undefined>();
  for (const chats of [...devices, fresh]) {
    assert.equal((await chats.sync()).verified, true);
    codes.add(await chats.code());
  }
  assert.equal(codes.size, 1);
  const rows = await rowsOf(user, fresh);
  journal.check(rows);
  for (const chats of [...devices, fresh]) {
    const ids = (await chats.store.list()).map(({ id }) => id).sort();
    assert.deepEqual(ids, Object.keys(rows).sort());
    const titles = (await chats.list()).map((
      { id, version, title, is_starred },
    ) => [id, { version, title, is_starred }]);
    for (const [id, about] of titles) {
      const { version, title, is_starred } = rows[id as string]!; // the ids are the same
      assert.deepEqual(about, { version, title, is_starred });
    }
    for (const id of ids) {
      const chat = await chats.open(id);
      assert.deepEqual({ version: chat.version, ...stateOf(chat) }, rows[id]);
      assert.deepEqual(await chats.openKept(id), chat);
    }
  }
}

/** Reads the chats from the database and decrypts them. */
async function rowsOf(user: TestUser, { keys }: Chats): Promise<FinalState> {
  const open = (envelope: string, chat_id: string, part: "title" | "data" | number) =>
    decryptText(envelope, { keys: keys.all as DataKey[], user_id: user.id, chat_id, part });
  return await withDatabase(async (sql) => {
    const chats = await sql`select * from encrypted_chats where user_id = ${user.id}`;
    const segments = await sql`
      select * from chat_segments where user_id = ${user.id} order by chat_id, number`;
    const states: FinalState = {};
    for (const { id, version, is_starred, encrypted_title, encrypted_data } of chats) {
      const own = segments.filter(({ chat_id }) => chat_id === id);
      states[id] = {
        version: Number(version),
        title: encrypted_title === null ? null : await open(encrypted_title, id, "title"),
        is_starred,
        content: await open(encrypted_data, id, "data"),
        segments: await Promise.all(
          own.map(({ number, encrypted_data }) => open(encrypted_data, id, number)),
        ),
      };
    }
    return states;
  });
}

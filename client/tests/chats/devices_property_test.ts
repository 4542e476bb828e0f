/**
 * Several devices of one user change the same chats at random, rotate the keys and close epochs, over a network that loses
 * requests and answers and delivers requests twice. No device may report that the server lies. In the end, all devices
 * must agree, and their state must follow from the answers that they got. `SOAK=10` takes ten times as many steps.
 * `SEED=...` repeats the choices of a failed run; the order in which the server handles the requests still varies.
 */

import assert from "node:assert/strict";

import {
  signUp,
  soak,
  test,
  type TestUser,
  withDatabase,
} from "../../../supabase/functions/_testing/testing.ts";
import { tell } from "../../../supabase/functions/_testing/tell.ts";
import { device } from "../support/devices.ts";
import { seededRandom } from "../support/faulty_network.ts";
import { type FinalState, Journal, stateOf } from "../support/journal.ts";
import { PASSWORD, RandomDevice } from "../support/random_device.ts";
import type { Chats } from "../../mod.ts";
import { type DataKey, decryptText } from "../../crypto/mod.ts";

/** As many devices act at the same time. */
const MOST_AT_ONCE = 10;

test("2 devices change chats at random and end in the same state", () => runAtRandom(2, 60));

test("50 devices change chats at random and end in the same state", () => runAtRandom(50, 5));

test("10 devices change chats at random and end in the same state", () => runAtRandom(10, 12));

async function runAtRandom(count: number, steps: number): Promise<void> {
  const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 2 ** 32));
  tell(`SEED=${seed}, ${count} devices, ${count * steps * soak} steps`);
  try {
    await run(count, steps * soak, seededRandom(seed));
  } catch (error) {
    if (error instanceof Error) error.message += `\nThe choices were those of SEED=${seed}`;
    throw error;
  }
}

/** Makes pages small, so that other devices change a chat between two of its pages. */
async function withSmallPages<T>(run: () => Promise<T>): Promise<T> {
  return await withDatabase(async (sql) => {
    const name = "chats.max_page_bytes";
    const [{ value } = {}] = await sql`select value from private.settings where name = ${name}`;
    await sql`update private.settings set value = 1024 where name = ${name}`;
    try {
      return await run();
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
  await devices[0]!.createChats(4);
  await inGroups(devices, async ({ chats }) => void await chats.sync());

  await withSmallPages(() => act(devices, steps, random));

  for (const { network } of devices) network.faulty = false;
  await Promise.all(devices.map(({ network }) => network.settled()));
  await inGroups(devices, (each) => each.finish());
  await compare(user, devices.map(({ chats }) => chats), journal, random);

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
  const sum = (kind: "rotations" | "closings") =>
    devices.reduce((sum, { keyChanges }) => sum + keyChanges[kind], 0);
  tell(
    `${sum("rotations")} rotations, ${sum("closings")} closings, ` +
      [...kinds].map(([kind, { length }]) => `${kind} ${length}`).join(", "),
  );
}

/** Lets the devices act at random, several at the same time. */
async function act(devices: RandomDevice[], steps: number, random: () => number): Promise<void> {
  for (const { network } of devices) network.faulty = true;
  const left = devices.map(() => steps);
  await Promise.all(
    Array.from({ length: Math.min(devices.length, MOST_AT_ONCE) }, async (_, first) => {
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
    }),
  );
}

/** Does something with all, some at the same time. */
async function inGroups<T>(all: readonly T[], run: (each: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < all.length; from += MOST_AT_ONCE) {
    await Promise.all(all.slice(from, from + MOST_AT_ONCE).map(run));
  }
}

/**
 * Checks that all devices, a new one and the database agree, and that their state follows from the answers. The new device
 * opens all chats; each other one opens one of them, and what its store has of the others.
 */
async function compare(
  user: TestUser,
  devices: Chats[],
  journal: Journal,
  random: () => number,
): Promise<void> {
  const fresh = device(user);
  await fresh.keys.unlock({ password: PASSWORD });
  assert.equal((await fresh.sync()).verified, true);
  const rows = await rowsOf(user, fresh);
  journal.check(rows);
  const ids = Object.keys(rows).sort();
  await inGroups([fresh, ...devices], async (chats) => {
    assert.equal((await chats.sync()).verified, true);
    assert.equal(await chats.code(), await fresh.code());
    assert.deepEqual((await chats.store.list()).map(({ id }) => id).sort(), ids);
    for (const { id, version, title, is_starred } of await chats.list()) {
      const row = rows[id]!; // the ids are the same
      assert.deepEqual(
        { version, title, is_starred },
        { version: row.version, title: row.title, is_starred: row.is_starred },
      );
    }
    const one = ids[Math.floor(random() * ids.length)];
    for (const id of ids) {
      const opened = chats === fresh || id === one ? await chats.open(id) : undefined;
      const kept = await chats.openKept(id);
      if (opened) assert.deepEqual(kept, opened);
      if (kept) assert.deepEqual({ version: kept.version, ...stateOf(kept) }, rows[id]);
    }
  });
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

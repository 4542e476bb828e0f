/**
 * A server that lies at random. The device shows the truth or throws a named error, and loses nothing.
 */

import assert from "node:assert/strict";

import { test } from "../../../supabase/functions/_testing/testing.ts";
import { ChatsError, CryptoError, MemoryStore } from "../../mod.ts";
import { device, newUser } from "../support/devices.ts";
import { seededRandom } from "../support/faulty_network.ts";
import { type Json, LyingServer } from "../support/lying_server.ts";
import { soak } from "../support/soak.ts";

const LIES = 60 * soak;

test("a lying server: after random lies, a device shows the truth or throws a named error", async () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!; // one was made
  const random = seededRandom(seed);
  const { user, phone, key } = await newUser();
  const texts = ["one ", "two ", "three "];
  let chat = await phone.save(phone.create(), "Hello. ", { title: "A" });
  for (const text of texts) chat = await phone.append(chat, text);
  const other = await phone.backup((await phone.save(phone.create(), "Other", { title: "B" })).id);
  const server = new LyingServer();
  let refused = 0;
  for (let lie = 0; lie < LIES; lie++) {
    const laptop = device(user, { fetch: server.fetch, attempts: 1, store: new MemoryStore() });
    await laptop.keys.unlock({ device: key });
    await laptop.sync();
    server.lie = (answer) => {
      const changed = structuredClone(answer);
      for (let left = random() < 0.7 ? 1 : 2; left > 0; left--) distort(changed, other, random);
      return changed;
    };
    try {
      const { title, content, segments } = await laptop.open(chat.id);
      const shown = { title: title ?? chat.title, content, segments };
      const truth = { title: chat.title, content: chat.content, segments: chat.segments };
      assert.deepEqual(shown, truth, `seed ${seed}`);
    } catch (error) {
      if (!(error instanceof ChatsError) && !(error instanceof CryptoError)) throw error;
      refused++;
    }
    server.lie = undefined;
    assert.deepEqual(await laptop.open(chat.id), chat, `seed ${seed}`);
  }
  assert.ok(refused > LIES / 4, `${refused} of ${LIES} were refused`);
});

/** Changes one part of an answer: drops, empties, repeats, reorders or replaces it. */
function distort(answer: Json, other: Json, random: () => number): void {
  const pick = <T>(list: T[]): T => list[Math.floor(random() * list.length)]!; // none is empty
  const holders = [answer, ...answer.segments ?? [], answer.segments].filter((holder: Json) =>
    holder && Object.keys(holder).length > 0
  );
  const holder = pick(holders);
  const names = Object.keys(holder);
  const [name, second] = [pick(names), pick(names)];
  const strange = { ...other.chat, ...other.content };
  const changes: (() => void)[] = [
    () => Array.isArray(holder) ? holder.splice(Number(name), 1) : delete holder[name],
    () => holder[name] = null,
    () => holder[name] = structuredClone(holder[second]),
    () => [holder[name], holder[second]] = [holder[second], holder[name]],
    () => holder[name] = strange[name] ?? holder[name],
    () => holder[name] = typeof holder[name] === "number" ? holder[name] + pick([-1, 1]) : 0,
    () => Array.isArray(holder) && holder.push(holder[Number(name)]),
  ];
  pick(changes)();
}

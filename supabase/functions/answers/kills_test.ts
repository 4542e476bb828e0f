import assert from "node:assert/strict";

import { withCheckout } from "../_testing/checkout.ts";
import { signUp, soak, test, type TestUser, until } from "../_testing/testing.ts";
import { onStack } from "./answers_testing.ts";
import { connectTo, installGates } from "./gates_testing.ts";
import { PRICES } from "./kills_model_testing.ts";
import { FAULTS, LOOKERS, type World } from "./kills_faults_testing.ts";
import { playRound } from "./kills_testing.ts";
import { PLACES, randomNumbers } from "./places_testing.ts";
import { withScriptedProvider } from "./scripted_provider_testing.ts";
import { findTraces } from "./traces_testing.ts";

const SEED = Number(Deno.env.get("SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);

/** A round for each of the first faults, and with `SOAK=2` for all. Each disturbs 23 answers. */
const ROUNDS = Math.ceil(5 * soak);

/** Answers that are at no certain place. */
const ANYWHERE = 4;

/** Rounds after which new users sign up. */
const ROUNDS_OF_USERS = 30;

const GRANTED = 100;

test("whatever is killed, goes or is stopped at each of 20 places: message, usage, charge and hold of an answer agree; of an ephemeral one, nothing is left", async () => {
  console.log(`SEED=${SEED}`);
  // A stack of its own: that of the run does not keep what it has committed when the database is killed.
  await withCheckout(async (checkout) => {
    await checkout.start();
    const of = await checkout.stack();
    await onStack(of, () =>
      withScriptedProvider(async (url, plays) => {
        await installGates(of);
        await prepare(of, url);
        await playRounds({ checkout, of, model: "scripted", plays, random: randomNumbers(SEED) });
      }));
  });
});

/** Adds the model, and lifts the limits that are not what is tested. */
async function prepare(of: World["of"], url: string): Promise<void> {
  const client = await connectTo(of);
  await client.query(`
    update private.settings set value = case name when 'requests.per_user' then 0 else 100000 end
    where name in ('requests.per_user', 'answers.per_minute');
    update private.settings set value = ${GRANTED} where name = 'credits.signup_amount';`);
  await client.query(
    "insert into public.model_providers (name, base_url, secret_name) values ('scripted', $1, 'PLAYED_API_KEY')",
    [url],
  );
  const { input, cached, output, reasoning } = PRICES;
  await client.query(
    `insert into public.models (name, provider, endpoint_model, context_tokens, output_tokens, input_price,
      cached_input_price, output_price, reasoning_price, capabilities)
    values ('scripted', 'scripted', 'scripted', 32000, 1000, $1, $2, $3, $4, '{tools}')`,
    [input, cached, output, reasoning],
  );
  await client.end();
}

async function playRounds(world: World): Promise<void> {
  const faults = Object.keys(FAULTS);
  const lookers = Object.keys(LOOKERS);
  // One place of two at which a transaction waits that all answers share: of the other, the next round has an answer.
  const sharing = PLACES.filter(({ stores }) => stores);
  const placesOf = (n: number) => [
    ...PLACES.filter((place) => !place.stores || place === sharing[n % sharing.length]),
    ...Array<undefined>(ANYWHERE).fill(undefined),
  ];
  const states: Record<string, Record<string, number>> = {};
  const secret = `secret${crypto.randomUUID().replaceAll("-", "")}`;
  let users: TestUser[] = [];
  for (let n = 0; n < ROUNDS; n++) {
    const fault = faults[n % faults.length]!;
    const places = placesOf(n);
    if (n % ROUNDS_OF_USERS === 0) users = await signUpAll(world, places.length);
    const looker = lookers[world.random(lookers.length)]!;
    const left = await playRound(world, {
      chat: `r${n}`,
      users,
      places,
      confidant: (await signUpAll(world, 1))[0]!,
      secret,
      fault,
      looker,
      granted: GRANTED,
      context: `SEED=${SEED} round ${n}, ${looker} looks`,
    });
    for (const state of left) {
      states[fault] ??= {};
      states[fault][state] = (states[fault][state] ?? 0) + 1;
    }
  }
  assert.deepEqual(await findTraces(world.of, secret), []);
  // What is stored is found in the same way.
  const found = await findTraces(world.of, "play-r0-");
  assert.ok(found.includes("public.messages") && found.some((path) => path.includes("pg_wal")));
  console.log(JSON.stringify({ rounds: ROUNDS, answers: ROUNDS * placesOf(0).length, states }));
}

/** The database may still be recovering from the last round. */
async function signUpAll({ of }: World, count: number): Promise<TestUser[]> {
  const users: TestUser[] = [];
  await until(async () => {
    const user = await signUp(of).catch(() => undefined);
    if (user) users.push(user);
    return users.length === count;
  });
  return users;
}

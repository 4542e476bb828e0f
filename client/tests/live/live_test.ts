import assert from "node:assert/strict";

import { createClient, type SupabaseClient } from "@supabase/supabase-js";

import {
  invoke,
  PASSWORD,
  serviceClient,
  signUp,
  stack,
  test,
  until,
} from "../../../supabase/functions/_testing/testing.ts";
import { createStrongroom, type Live, type LiveOptions } from "../../index.ts";
import { createService } from "../../service.ts";
import { Cable } from "../support/cable.ts";

const service = createService(serviceClient());

/** The grant of the sign-up may be heard late. */
const missed = (wakeUps: { missed: boolean }[]) => wakeUps.filter((one) => one.missed).length;
// deno-lint-ignore no-explicit-any -- as received
const available = (wakeUps: any[]) => wakeUps.map((one) => one.available);

/** Runs a test with a client whose Realtime connection is ended afterwards. */
async function withClient(
  run: (supabase: SupabaseClient) => Promise<void>,
  { url = stack.url, token }: { url?: string; token?: string } = {},
): Promise<void> {
  const supabase = createClient(url, stack.publishableKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    realtime: { reconnectAfterMs: () => 20 },
    ...(token && { accessToken: () => Promise.resolve(token) }),
  });
  try {
    await run(supabase);
  } finally {
    await supabase.removeAllChannels();
    await supabase.realtime.disconnect();
  }
}

/** Listens, and keeps all that the handlers receive. */
function listen(supabase: SupabaseClient, options: LiveOptions = {}) {
  // deno-lint-ignore no-explicit-any -- each test asserts what it expects
  const heard: Record<string, any[]> = {
    credits: [],
    messages: [],
    chats: [],
    status: [],
  };
  const live: Live = createStrongroom(supabase).live({
    onCredits: (wakeUp) => heard.credits!.push(wakeUp),
    onMessages: (wakeUp) => heard.messages!.push(wakeUp),
    onChats: (wakeUp) => heard.chats!.push(wakeUp),
    onStatus: (status) => heard.status!.push(status),
    ...options,
  });
  return { live, heard };
}

test("live: each handler is called once at the beginning, and then with what has changed, of this user only", async () => {
  const [user, other] = await Promise.all([signUp(), signUp()]);
  await withClient(async (supabase) => {
    const { live, heard } = listen(supabase, { user_id: user.id });
    await until(() => live.status === "live");
    await until(() => heard.chats!.length === 1);
    for (const kind of ["messages", "chats"]) assert.deepEqual(heard[kind], [{ missed: true }]);
    assert.equal(missed(heard.credits!), 1);
    await service.credits.grant({ user_id: other.id, amount: 1 })
      .throwOnError();
    await service.credits.grant({ user_id: user.id, amount: 5 }).throwOnError();
    await until(() => available(heard.credits!).includes(105));
    const [first, ...others] = heard.credits!;
    assert.deepEqual(first, { missed: true });
    assert.deepEqual([others.at(-1).missed, others.at(-1).balance], [false, 105]);
    assert.deepEqual(available(others).filter((amount) => amount !== 100), [105]);

    const { conversation } = await createStrongroom(user.client).conversations
      .start({ message: { role: "user", content: "Hi" } }).throwOnError();
    await until(() => heard.messages!.length > 1);
    assert.equal(heard.messages![1].conversation_id, conversation.id);
    assert.equal(heard.messages![1].operation, "insert");
    assert.deepEqual(heard.status, ["live"]);
    live.stop();
    assert.equal(live.status, "stopped");
  }, { token: user.token });
});

test("live: after the connection was lost, it is made again, and each handler is told once that it may have missed something", async () => {
  const user = await signUp();
  await using cable = new Cable();
  await withClient(async (supabase) => {
    const { live, heard } = listen(supabase, { user_id: user.id });
    await until(() => live.status === "live");
    cable.pull();
    await until(() => live.status === "connecting");
    await service.credits.grant({ user_id: user.id, amount: 5 }).throwOnError();
    cable.plug();
    await until(() => live.status === "live");
    await until(() => missed(heard.credits!) === 2);
    assert.deepEqual([missed(heard.chats!), missed(heard.messages!)], [2, 2]);
    await service.credits.grant({ user_id: user.id, amount: 5 }).throwOnError();
    await until(() => available(heard.credits!).includes(110));
    assert.equal(missed(heard.credits!), 2);
    live.stop();
  }, { url: cable.url, token: user.token });
});

test("live: it follows who is signed in, and stops when the user signs out", async () => {
  const [ada, ben] = await Promise.all([signUp(), signUp()]);
  await withClient(async (supabase) => {
    const { live, heard } = listen(supabase);
    const grant = (user_id: string) => service.credits.grant({ user_id, amount: 5 }).throwOnError();
    await until(() => live.status === "stopped");
    await supabase.auth.signInWithPassword({
      email: ada.email,
      password: PASSWORD,
    });
    await until(() => live.status === "live");
    await grant(ada.id);
    await until(() => available(heard.credits!).includes(105));

    await supabase.auth.signOut();
    await until(() => live.status === "stopped");
    await supabase.auth.signInWithPassword({
      email: ben.email,
      password: PASSWORD,
    });
    await until(() => live.status === "live");
    await until(() => heard.credits!.filter(({ missed }) => missed).length === 2);
    await grant(ada.id);
    await grant(ben.id);
    await until(() => available(heard.credits!).at(-1) === 105);
    assert.ok(!available(heard.credits!).includes(110), "nothing of who was signed in before");
    live.stop();
  });
});

test("live: two subscriptions of one client share a topic, and one that is replaced at once is heard", async () => {
  const user = await signUp();
  await withClient(async (supabase) => {
    // As React does in development: begin, end, begin.
    listen(supabase, { user_id: user.id }).live.stop();
    const first = listen(supabase, { user_id: user.id });
    await until(() => first.live.status === "live");
    const second = listen(supabase, { user_id: user.id });
    await until(() => missed(second.heard.credits!) === 1);
    await service.credits.grant({ user_id: user.id, amount: 5 }).throwOnError();
    for (const { heard } of [first, second]) {
      await until(() => available(heard.credits!).includes(105));
    }
    second.live.stop();
    await service.credits.grant({ user_id: user.id, amount: 5 }).throwOnError();
    await until(() => available(first.heard.credits!).includes(110));
    assert.ok(!available(second.heard.credits!).includes(110));
    first.live.stop();
    await until(() => supabase.getChannels().length === 0);
  }, { token: user.token });
});

test("live: teams and projects are heard by their members, and others are told why not", async () => {
  const [owner, stranger] = await Promise.all([signUp(), signUp()]);
  const { team } = await createStrongroom(owner.client).teams.create({
    name: "Crew",
  })
    .throwOnError();
  await withClient(async (supabase) => {
    const { live, heard } = listen(supabase, {
      user_id: owner.id,
      teams: [team.id],
    });
    await until(() => live.status === "live");
    await service.credits.grant({ team_id: team.id, amount: 7 }).throwOnError();
    await until(() => available(heard.credits!).includes(7));
    assert.equal(
      heard.credits!.find((one) => one.available === 7).team_id,
      team.id,
    );
    live.stop();
  }, { token: owner.token });
  await withClient(async (supabase) => {
    const reasons: Error[] = [];
    const { live, heard } = listen(supabase, {
      user_id: stranger.id,
      teams: [team.id],
      onStatus: (_status, reason) => reason && reasons.push(reason),
    });
    await until(() => reasons.length > 0);
    assert.notEqual(live.status, "live");
    assert.ok(heard.credits!.every(({ team_id }) => team_id === undefined));
    live.stop();
  }, { token: stranger.token });
  await invoke(owner.client, `teams/${team.id}`, { method: "DELETE" });
});

test("live: accounts in other units have a handler of their own", async () => {
  const unit = "test_live_minutes";
  await serviceClient().from("credit_units").upsert({ unit }, {
    onConflict: "unit",
    ignoreDuplicates: true,
  });
  const user = await signUp();
  await withClient(async (supabase) => {
    // deno-lint-ignore no-explicit-any -- as received
    const units: any[] = [];
    const { live, heard } = listen(supabase, {
      user_id: user.id,
      onUnits: (wakeUp) => units.push(wakeUp),
    });
    await until(() => live.status === "live" && missed(units) === 1);
    await service.credits.grant({ user_id: user.id, amount: 7, unit }).throwOnError();
    await until(() => units.length === 2);
    assert.deepEqual([units[1].unit, units[1].available, units[1].missed], [unit, 7, false]);
    assert.ok(!available(heard.credits!).includes(7));
    live.stop();
  }, { token: user.token });
});

import assert from "node:assert/strict";

import {
  anonymousClient,
  invoke,
  serviceClient,
  signUp,
  soak,
  test,
  type TestUser,
  until,
  withDatabase,
} from "../_testing/testing.ts";

const service = serviceClient();

const ACCOUNTS = 20;
const CONNECTIONS = 16;
const ROUNDS = Math.ceil(20 * soak);
/** The second unit of the ring; the first is credits. */
const RING_UNIT = "ring_images";

/** Creates a team with an owner and a member, who have 100 credits each; the team has 100 more. */
async function team() {
  const [owner, member, stranger] = await Promise.all([signUp(), signUp(), signUp()]);
  const { data } = await service.from("teams").insert({ name: "Team" }).select().single();
  const team_id = data?.id ?? "";
  const join = (user: TestUser, role: string) => ({ team_id, user_id: user.id, role });
  await service.from("team_members").insert([join(owner, "owner"), join(member, "member")]);
  await invoke(service, "credits/grants", { body: { team_id, amount: 100 } });
  return { team_id, owner, member, stranger };
}

const transfer = (user: TestUser, body: object, key = crypto.randomUUID()) =>
  invoke(user.client, "credits/transfers", { body, headers: { "idempotency-key": key } });

async function balance(user: TestUser): Promise<unknown> {
  return (await invoke(user.client, "credits")).body.balance;
}

test("a member moves their own credits to the team, and an owner the team's to a member", async () => {
  const { team_id, owner, member } = await team();
  const given = await transfer(member, { to_team_id: team_id, amount: 30, description: "Mine" });
  assert.equal(given.status, 200);
  assert.deepEqual([given.body.amount, given.body.balance_after, given.body.description], [
    30,
    70,
    "Mine",
  ]);
  const back = await transfer(owner, {
    from_team_id: team_id,
    to_user_id: member.id,
    amount: 130,
  });
  assert.deepEqual([back.status, back.body.balance_after], [200, 0]);
  assert.equal(await balance(member), 200);

  const { data } = await member.client.from("credit_transactions").select("amount, counterpart")
    .eq("kind", "transfer").eq("account_id", given.body.from_account_id).order("entry_no");
  assert.deepEqual(data, [
    {
      amount: -30,
      counterpart: { account_id: given.body.to_account_id, entry_no: given.body.to_entry_no },
    },
    {
      amount: 130,
      counterpart: { account_id: back.body.from_account_id, entry_no: back.body.from_entry_no },
    },
  ]);
});

test("a transfer is refused to whoever may not make it, and to a body that says too much or too little", async () => {
  const { team_id, owner, member, stranger } = await team();
  const [alice, bob] = [{ from_team_id: team_id, to_user_id: member.id }, {
    to_user_id: owner.id,
  }];
  const refused = [
    [member, alice, 403, "not_team_admin"],
    [stranger, { from_team_id: team_id, to_user_id: stranger.id }, 404, "account_not_found"],
    [stranger, { to_team_id: team_id }, 404, "account_not_found"],
    [owner, { from_team_id: team_id, to_user_id: stranger.id }, 404, "account_not_found"],
    [member, bob, 422, "invalid_transfer"],
    [member, { from_user_id: owner.id, to_team_id: team_id }, 422, "invalid_request"],
    [member, { to_team_id: team_id, to_user_id: owner.id }, 422, "invalid_request"],
    [member, {}, 422, "invalid_request"],
    [member, { to_team_id: team_id, amount: 101 }, 402, "insufficient_credits"],
    [member, { to_team_id: team_id, amount: 0 }, 422, "invalid_request"],
    [member, { to_team_id: team_id, amount: 0.00001 }, 422, "invalid_request"],
    [member, { to_team_id: team_id, amount: "1" }, 422, "invalid_request"],
  ] as const;
  for (const [user, body, status, code] of refused) {
    const answer = await transfer(user, { amount: 1, ...body });
    assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(body));
  }
  assert.deepEqual(await Promise.all([owner, member, stranger].map(balance)), [100, 100, 100]);
});

test("an API key moves no credits, whatever it may charge", async () => {
  const { team_id, member } = await team();
  const { body: { key } } = await invoke(member.client, "keys", {
    body: { name: "all", permissions: ["credits:read", "credits:write"] },
  });
  const { status, body } = await invoke(anonymousClient(), "credits/transfers", {
    body: { to_team_id: team_id, amount: 1 },
    headers: { authorization: `Bearer ${key}` },
  });
  assert.deepEqual([status, body.code], [403, "permission_missing"]);
  assert.equal(await balance(member), 100);
});

test("the service moves credits between any two accounts, and a repeated request moves them once", async () => {
  const [from, to] = await Promise.all([signUp(), signUp()]);
  const body = { from_user_id: from.id, to_user_id: to.id, amount: 12.34567 };
  const key = crypto.randomUUID();
  const answers = await Promise.all(
    Array.from(
      { length: 8 },
      () => invoke(service, "credits/transfers", { body, headers: { "idempotency-key": key } }),
    ),
  );
  assert.deepEqual(answers.map(({ status }) => status), Array(8).fill(200));
  assert.deepEqual(new Set(answers.map(({ body }) => body.from_entry_no)), new Set([2]));
  assert.equal(await balance(from), 87.6543);
  assert.equal(await balance(to), 112.3457);
  const user = await transfer(from, body);
  assert.deepEqual([user.status, user.body.code], [422, "invalid_request"]);
});

test("transfers in a ring never deadlock, and nothing of either unit is made or lost", async () => {
  const users = await Promise.all(Array.from({ length: ACCOUNTS }, () => signUp()));
  const ids = users.map(({ id }) => id);
  await service.from("credit_units").upsert({ unit: RING_UNIT }, {
    onConflict: "unit",
    ignoreDuplicates: true,
  });
  // The others have no account in this unit before something arrives there.
  for (const user_id of ids.filter((_, place) => place % 2 === 0)) {
    const body = { user_id, amount: 50, unit: RING_UNIT };
    assert.equal((await invoke(service, "credits/grants", { body })).status, 201);
  }
  const move = async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const place = Math.floor(Math.random() * ACCOUNTS);
      await withDatabase((sql) =>
        sql`select public.transfer_credits(${1 + round % 7}, from_user_id => ${ids[place] ?? ""},
          to_user_id => ${ids[(place + 1) % ACCOUNTS] ?? ""},
          unit => ${Math.random() < 0.5 ? "credits" : RING_UNIT})`
      ).catch((error) => {
        if (!/^PT402/.test(error.code)) throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, move));
  await withDatabase(async (sql) => {
    const books = await sql`select a.unit, sum(a.balance)::float as total,
      (select sum(t.amount)::float from public.credit_transactions as t
        where t.kind = 'transfer' and t.unit = a.unit and t.user_id = any (${ids})) as moved,
      array(select r.problem from public.credit_accounts as b
        cross join lateral public.credit_reconciliation(b.id) as r
        where b.unit = a.unit and b.user_id = any (${ids})) as problems
      from public.credit_accounts as a where a.user_id = any (${ids}) group by a.unit order by a.unit`;
    assert.deepEqual([...books], [
      { unit: "credits", total: 100 * ACCOUNTS, moved: 0, problems: [] },
      { unit: RING_UNIT, total: 50 * ACCOUNTS / 2, moved: 0, problems: [] },
    ]);
  });
});

test("a transfer locks the account with the lower id first, whichever way it goes", async () => {
  const users = await Promise.all([signUp(), signUp()]);
  const accounts = await readAccounts(users.map(({ id }) => id));
  for (const [from, to] of [accounts, accounts.toReversed()]) {
    let transfer: Promise<unknown> | undefined;
    await withDatabase((sql) =>
      sql.begin(async (tx) => {
        const [{ pid } = {}] = await tx`select pg_backend_pid() as pid from credit_accounts
          where id = ${accounts[0]!.id} for update`;
        transfer = withDatabase((other) =>
          other`select public.transfer_credits(1, from_user_id => ${from!.user_id}, to_user_id => ${
            to!.user_id
          })`
        );
        await until(() => isWaitedFor(pid));
        await tx`select from credit_accounts where id = ${accounts[1]!.id} for update nowait`;
      })
    );
    await transfer;
  }
});

test("a transfer that waits for an account is refused if its member leaves the team meanwhile", async () => {
  const { team_id, owner, member } = await team();
  for (
    const [user, body] of [
      [owner, { from_team_id: team_id, to_user_id: member.id }],
      [member, { to_team_id: team_id }],
    ] as const
  ) {
    await service.from("team_members").upsert({ team_id, user_id: member.id, role: "member" });
    let answer: ReturnType<typeof transfer> | undefined;
    await withDatabase((sql) =>
      sql.begin(async (tx) => {
        const [{ pid } = {}] = await tx`select pg_backend_pid() as pid from credit_accounts
          where user_id = ${member.id} and unit = 'credits' for update`;
        answer = transfer(user, { ...body, amount: 10 });
        await until(() => isWaitedFor(pid));
        await service.from("team_members").delete().eq("user_id", member.id);
      })
    );
    const { status, body: problem } = await answer!;
    assert.deepEqual([status, problem.code], [404, "account_not_found"]);
  }
  assert.deepEqual(await Promise.all([owner, member].map(balance)), [100, 100]);
  assert.equal((await invoke(service, `credits?team_id=${team_id}`)).body.balance, 100);
});

/** Whether somebody waits for a lock that a connection has. */
async function isWaitedFor(pid: number): Promise<boolean> {
  let waits = false;
  await withDatabase(async (sql) => {
    const rows = await sql`select from pg_stat_activity where ${pid} = any (pg_blocking_pids(pid))`;
    waits = rows.length === 1;
  });
  return waits;
}

/** The accounts of users, in the order of their ids. */
async function readAccounts(ids: string[]): Promise<{ id: string; user_id: string }[]> {
  const accounts: { id: string; user_id: string }[] = [];
  await withDatabase(async (sql) => {
    accounts.push(
      ...await sql<{ id: string; user_id: string }[]>`
      select id, user_id from credit_accounts where user_id = any (${ids}) and unit = 'credits' order by id`,
    );
  });
  return accounts;
}

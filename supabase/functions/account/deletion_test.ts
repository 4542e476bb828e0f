import assert from "node:assert/strict";

import {
  anonymousClient,
  invoke,
  PASSWORD,
  serviceClient,
  signUp,
  stack,
  test,
  type TestUser,
  withDatabase,
  withSettings,
} from "../_testing/testing.ts";
import { cleanAll, columnsWith } from "./account_testing.ts";

const ask = (user: TestUser) => invoke(user.client, "account", { method: "DELETE" });
const restore = (user: TestUser) => invoke(user.client, "account/restore", { method: "POST" });

/** Makes the deletion of a user's account due. */
const endGrace = (user: TestUser) =>
  withDatabase((sql) =>
    sql`update private.account_deletions set due_at = now() where user_id = ${user.id}`
  );

/** Lets the sign-in of a user be some seconds ago. */
const ageSession = (user: TestUser, seconds: number) =>
  withDatabase((sql) =>
    sql`update auth.sessions set created_at = now() - ${seconds} * interval '1 second' where user_id = ${user.id}`
  );

test("DELETE /account requires a recent sign-in, can be repeated, and is cancelled by POST /account/restore", async () => {
  const user = await signUp();
  const initial = await invoke(user.client, "account");
  assert.deepEqual(initial.body, { state: "active", requested_at: null, removed_at: null });
  await ageSession(user, 901);
  const refused = await ask(user);
  assert.deepEqual([refused.status, refused.body.code, refused.body.seconds], [
    403,
    "reauthentication_needed",
    900,
  ]);
  const { error } = await user.client.auth.signInWithPassword({
    email: user.email,
    password: PASSWORD,
  });
  assert.equal(error, null);
  const asked = await ask(user);
  assert.deepEqual([asked.status, asked.body.state], [202, "to_be_deleted"]);
  assert.equal(
    Date.parse(asked.body.removed_at) - Date.parse(asked.body.requested_at),
    1209600_000,
  );
  assert.deepEqual((await ask(user)).body, asked.body);
  await cleanAll("account_deletions");
  assert.deepEqual((await invoke(user.client, "account")).body, asked.body);
  assert.equal((await restore(user)).body.state, "active");
  assert.deepEqual([(await restore(user)).status, (await restore(user)).body.code], [
    404,
    "deletion_not_found",
  ]);
});

test("an API key, a service and a visitor cannot delete an account", async () => {
  const user = await signUp();
  const { body: { key } } = await invoke(user.client, "keys", {
    body: { name: "all", permissions: ["credits:read"] },
  });
  const headers = { authorization: `Bearer ${key}` };
  const byKey = await invoke(anonymousClient(), "account", { method: "DELETE", headers });
  assert.deepEqual([byKey.status, byKey.body.code], [403, "permission_missing"]);
  for (const client of [serviceClient(), anonymousClient()]) {
    assert.equal((await invoke(client, "account", { method: "DELETE" })).status, 401);
  }
});

/** Gives a user something in every place that no foreign key leads to. Returns the team and the other user who is in it. */
async function leaveTraces(user: TestUser): Promise<{ other: TestUser; account_id: string }> {
  const other = await signUp();
  const team_id = crypto.randomUUID();
  const account_id = await withDatabase(async (sql) => {
    await sql`insert into teams (id, name) values (${team_id}, 'T')`;
    await sql`insert into team_members (team_id, user_id, role) values
      (${team_id}, ${other.id}, 'owner'), (${team_id}, ${user.id}, 'member')`;
    const [shared] = await sql`insert into projects (user_id, team_id, title)
      values (${other.id}, ${team_id}, 'Shared') returning id`;
    await sql`insert into messages (project_id, role, content, sequence_number, author_id)
      values (${shared?.id}, 'user', '"mine"', 0, ${user.id})`;
    const [own] = await sql`insert into conversations (user_id) values (${user.id}) returning id`;
    await sql`insert into messages (conversation_id, role, content) select ${own?.id}, 'user', '"x"' from generate_series(1, 50)`;
    await sql`insert into team_invitations (team_id, team_name, role, email, invited_by, expires_at)
      values (${team_id}, 'T', 'member', ${user.email}, ${other.id}, now() + interval '1 day')`;
    await sql`insert into waitlist (email) values (${user.email})`;
    await sql`insert into webhook_events (provider, event_id, type, payload, result, outcome) values
      ('stripe', ${crypto.randomUUID()}, 'x', ${sql.json({ email: user.email.toUpperCase() })}, ${
      sql.json({ user_id: user.id, email: user.email })
    }, 'processed')`;
    await sql`insert into webhook_events (provider, event_id, type, payload, error, outcome) values
      ('stripe', ${crypto.randomUUID()}, 'x', ${
      sql.json({ body: JSON.stringify({ email: user.email }) })
    }, ${`no_account: user ${user.id}`}, 'failed')`;
    await sql`insert into private.cleanup_runs (job, outcome, ended_at, report) values ('run_history', 'done', now(),
      ${sql.json([{ user_id: user.id }])})`;
    // What the user has done with the credits of the team, which the user leaves.
    await sql`select grant_credits(team_id => ${team_id}, amount => 50)`;
    await sql`select deduct_credits(${user.id}, amount => 1, team_id => ${team_id})`;
    const [hold] = await sql`select id from hold_credits(${user.id}, 2, team_id => ${team_id})`;
    await sql`select release_credit_hold(${hold?.id})`;
    await sql`insert into credit_units (unit) values ('deletions') on conflict do nothing`;
    await sql`select grant_credits(team_id => ${team_id}, amount => 5, unit => 'deletions')`;
    await sql`select deduct_credits(${user.id}, amount => 1, team_id => ${team_id}, unit => 'deletions')`;
    await sql`delete from team_members where team_id = ${team_id} and user_id = ${user.id}`;
    const [account] =
      await sql`select id from credit_accounts where team_id = ${team_id} and unit = 'credits'`;
    return account?.id;
  });
  const upload = await serviceClient().storage.from("voice_recordings")
    .upload(`${user.id}/a.wav`, new Blob(["x"], { type: "audio/wav" }));
  assert.equal(upload.error, null);
  await cleanAll("credit_seals");
  await invoke(user.client, "account/export", { method: "POST" });
  await cleanAll("account_exports");
  return { other, account_id };
}

/** Asserts that nothing of a deleted user is left, and that what belongs to others is. */
async function assertNothingLeft(
  user: TestUser,
  { other, account_id }: { other: TestUser; account_id: string },
): Promise<void> {
  for (const job of ["deleted_accounts", "account_exports", "storage_removals"]) {
    await cleanAll(job);
  }
  // Counts of this minute go with it, and a token that is still valid can add some.
  await withDatabase((sql) => sql`delete from private.request_counts`);
  assert.deepEqual(await columnsWith(user.id), []);
  assert.deepEqual(await columnsWith(user.email), []);
  for (const bucket of ["voice_recordings", "exports"]) {
    assert.deepEqual((await serviceClient().storage.from(bucket).list(user.id)).data, []);
  }
  const { data } = await other.client.from("messages").select("content, author_id");
  assert.deepEqual(data, [{ content: "mine", author_id: null }]);
  assert.ok(
    (await anonymousClient().auth.signInWithPassword({ email: user.email, password: PASSWORD }))
      .error,
  );
  await withDatabase(async (sql) => {
    const [check] =
      await sql`select problem, sealed_to::integer from verify_credit_ledger(${account_id})`;
    assert.deepEqual(
      { ...check },
      { problem: null, sealed_to: 2 },
      "the team's books are sealed as before",
    );
    assert.deepEqual([...await sql`select * from credit_reconciliation(${account_id})`], []);
  });
}

test("after the deletion, nothing of the user is in any table or bucket", async () => {
  const user = await signUp();
  const left = await leaveTraces(user);
  assert.equal((await ask(user)).status, 202);
  await endGrace(user);
  await cleanAll("account_deletions");
  await assertNothingLeft(user, left);
});

test("nor when Auth deletes the user without a request", async () => {
  const user = await signUp();
  const left = await leaveTraces(user);
  // As auth.admin.deleteUser() and the dashboard do, with more than is cleared at once.
  await withSettings({ "accounts.rows_at_once": 10 }, async () => {
    await withDatabase((sql) => sql`delete from auth.users where id = ${user.id}`);
  });
  await withDatabase((sql) =>
    sql`update private.cleanup_jobs set batch_size = 7 where name = 'deleted_accounts'`
  );
  try {
    await assertNothingLeft(user, left);
  } finally {
    await withDatabase((sql) =>
      sql`update private.cleanup_jobs set batch_size = 1000 where name = 'deleted_accounts'`
    );
  }
});

test("accounts.keep_actors keeps the id of a deleted user in the books of a team", async () => {
  const user = await signUp();
  const { account_id } = await leaveTraces(user);
  await withSettings({ "accounts.keep_actors": 1 }, async () => {
    await withDatabase((sql) => sql`delete from auth.users where id = ${user.id}`);
    await cleanAll("deleted_accounts");
  });
  const entries = await withDatabase((sql) =>
    sql`select kind from credit_transactions where account_id = ${account_id} and actor_id = ${user.id}`
  );
  assert.deepEqual([...entries], [{ kind: "deduct" }]);
});

test("accounts.keep_ledger keeps the ledger of an account that has paid, without its user", async () => {
  const kept = () => withDatabase((sql) => sql`select entry from private.kept_ledgers`);
  for (
    const [keep, category, byJob, entries] of [
      [0, "paid", true, 0],
      [1, "promotional", true, 0],
      [1, "paid", true, 3],
      [1, "paid", false, 3],
    ] as const
  ) {
    const user = await signUp();
    const before = (await kept()).length;
    await withDatabase((sql) =>
      sql`select grant_credits(${user.id}, 5, category => ${category}, external_reference => ${`of ${user.id}`})`
    );
    await withSettings({ "accounts.keep_ledger": keep }, async () => {
      if (byJob) {
        await ask(user);
        await endGrace(user);
        // The first portion, and something that is posted after it.
        await withDatabase(async (sql) => {
          await sql`select private.do_cleanup(j, false) from private.cleanup_jobs as j where j.name = 'account_deletions'`;
          await sql`select deduct_credits(${user.id}, amount => 1)`;
        });
        await cleanAll("account_deletions");
      } else {
        await withDatabase(async (sql) => {
          await sql`select deduct_credits(${user.id}, amount => 1)`;
          await sql`delete from auth.users where id = ${user.id}`;
        });
      }
    });
    assert.equal((await kept()).length - before, entries, `${keep} ${category} ${byJob}`);
    assert.ok(!JSON.stringify(await kept()).includes(user.id));
  }
});

test("the only owner of a team with a running subscription cannot delete the account", async () => {
  const user = await signUp();
  await withDatabase(async (sql) => {
    const [team] = await sql`insert into teams (name, stripe_subscription_id, subscription_status)
      values ('Paid', ${crypto.randomUUID()}, 'active') returning id`;
    await sql`insert into team_members (team_id, user_id, role) values (${team?.id}, ${user.id}, 'owner')`;
  });
  const { status, body } = await ask(user);
  assert.deepEqual([status, body.code], [409, "team_has_subscription"]);
});

test("a deletion leaves what names another user, whose address contains that of the deleted one", async () => {
  const domain = `${crypto.randomUUID()}.example.com`;
  const [user, other] = [
    await signUp(stack, `n@${domain}`),
    await signUp(stack, `ann@${domain}`),
  ];
  const [mine, theirs] = [crypto.randomUUID(), crypto.randomUUID()];
  await withDatabase(async (sql) => {
    for (const [id, email] of [[mine, user.email], [theirs, other.email]] as const) {
      await sql`insert into webhook_events (provider, event_id, type, payload, outcome)
        values ('stripe', ${id}, 'x', ${sql.json({ customer: { email } })}, 'processed')`;
    }
  });
  const audited = () =>
    withDatabase(async (sql) =>
      (await sql`select count(*)::integer as rows from auth.audit_log_entries
        where strpos(payload::text, ${other.email}) > 0`)[0]?.rows
    );
  const before = await audited();
  assert.equal((await ask(user)).status, 202);
  await endGrace(user);
  await cleanAll("account_deletions");
  const events = await withDatabase((sql) =>
    sql`select event_id, payload is null as cleared from webhook_events
      where event_id in (${mine}, ${theirs}) order by cleared`
  );
  assert.deepEqual([...events], [
    { event_id: theirs, cleared: false },
    { event_id: mine, cleared: true },
  ]);
  assert.equal(await audited(), before);
});

test("a token that outlives its account is told so", async () => {
  const user = await signUp();
  await withDatabase((sql) => sql`delete from auth.users where id = ${user.id}`);
  const { status, body } = await invoke(user.client, "account");
  assert.deepEqual([status, body.code], [404, "user_not_found"]);
});

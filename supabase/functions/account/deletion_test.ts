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

test("after the deletion, nothing of the user is in any table or bucket", async () => {
  const [user, other] = [await signUp(), await signUp()];
  const team_id = crypto.randomUUID();
  await withDatabase(async (sql) => {
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
    await sql`insert into webhook_events (provider, event_id, type, payload, result, outcome) values ('stripe',
      ${crypto.randomUUID()}, 'x', ${sql.json({ email: user.email })}, ${
      sql.json({ user_id: user.id })
    }, 'processed')`;
    await sql`insert into private.cleanup_runs (job, outcome, ended_at, report) values ('run_history', 'done', now(),
      ${sql.json([{ user_id: user.id }])})`;
  });
  const upload = await serviceClient().storage.from("voice_recordings")
    .upload(`${user.id}/a.wav`, new Blob(["x"], { type: "audio/wav" }));
  assert.equal(upload.error, null);
  await invoke(user.client, "account/export", { method: "POST" });
  await cleanAll("account_exports");
  assert.equal((await ask(user)).status, 202);
  await endGrace(user);
  for (
    const job of ["account_deletions", "deleted_accounts", "account_exports", "storage_removals"]
  ) {
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
});

test("accounts.keep_ledger keeps the ledger of an account that has paid, without its user", async () => {
  for (const keep of [0, 1]) {
    const user = await signUp();
    const reference = `payment ${crypto.randomUUID()}`;
    const granted = await withDatabase((sql) =>
      sql`update private.credit_grants as g set external_reference = ${reference}
        from credit_accounts as a where a.id = g.account_id and a.user_id = ${user.id} returning g.id`
    );
    assert.equal(granted.length, 1);
    const kept = () => withDatabase((sql) => sql`select entry from private.kept_ledgers`);
    const before = (await kept()).length;
    await withSettings({ "accounts.keep_ledger": keep }, async () => {
      await ask(user);
      await endGrace(user);
      await cleanAll("account_deletions");
    });
    assert.equal((await kept()).length - before, keep);
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

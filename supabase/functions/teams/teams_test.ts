import assert from "node:assert/strict";

import {
  invoke,
  serviceClient,
  signUp,
  test,
  type TestUser,
  withDatabase,
} from "../_testing/testing.ts";

const service = serviceClient();

async function createTeam(owner: TestUser): Promise<string> {
  const { status, body } = await invoke(owner.client, "teams", { body: { name: "Crew" } });
  assert.equal(status, 201);
  return body.team.id;
}

const invite = (by: TestUser, team: string, body: Record<string, unknown>, headers = {}) =>
  invoke(by.client, `teams/${team}/invitations`, { body, headers });

const answerTo = (user: TestUser, invitation: string, answer: "accept" | "decline") =>
  invoke(user.client, `teams/invitations/${invitation}/${answer}`, { body: {} });

const revoke = (user: TestUser, invitation: string) =>
  invoke(user.client, `teams/invitations/${invitation}`, { method: "DELETE" });

const leave = (user: TestUser, team: string) =>
  invoke(user.client, `teams/${team}/leave`, { body: {} });

async function join(owner: TestUser, team: string, user: TestUser, role = "member") {
  const { body } = await invite(owner, team, { invitee_id: user.id, role });
  assert.equal((await answerTo(user, body.id, "accept")).status, 200);
}

async function rolesIn(team: string): Promise<Record<string, string>> {
  const { data } = await service.from("team_members").select("user_id, role").eq("team_id", team);
  return Object.fromEntries(data?.map(({ user_id, role }) => [user_id, role]) ?? []);
}

test("POST /teams makes the user the owner of a new team, once for an Idempotency-Key", async () => {
  const user = await signUp();
  const headers = { "idempotency-key": crypto.randomUUID() };
  const create = () => invoke(user.client, "teams", { body: { name: "Crew" }, headers });
  const [one, two] = await Promise.all([create(), create()]);
  assert.equal(one.body.team.id, two.body.team.id);
  assert.deepEqual(await rolesIn(one.body.team.id), { [user.id]: "owner" });
  const { data } = await user.client.from("teams").select("name");
  assert.deepEqual(data, [{ name: "Crew" }]);
  const blank = await invoke(user.client, "teams", { body: { name: " " } });
  assert.equal(blank.body.code, "invalid_team");
  const elsewhere = await invoke(service, "teams", {
    body: { name: "T", user_id: crypto.randomUUID() },
  });
  assert.equal(elsewhere.body.code, "user_not_found");
});

test("nobody is put into a team, or made an owner, without accepting it", async () => {
  const [owner, user] = await Promise.all([signUp(), signUp()]);
  const team = await createTeam(owner);
  const direct = await owner.client.from("team_members")
    .insert({ team_id: team, user_id: user.id, role: "member" });
  assert.equal(direct.error?.code, "42501");
  const invitation = await invite(owner, team, { invitee_id: user.id, role: "member" });
  assert.equal(invitation.status, 201);
  assert.deepEqual(await rolesIn(team), { [owner.id]: "owner" });

  const { data: seen } = await user.client.from("team_invitations").select("team_name, role");
  assert.deepEqual(seen, [{ team_name: "Crew", role: "member" }]);
  const accepted = await answerTo(user, invitation.body.id, "accept");
  assert.equal(accepted.body.status, "accepted");
  assert.deepEqual((await answerTo(user, invitation.body.id, "accept")).body, accepted.body);
  assert.equal((await rolesIn(team))[user.id], "member");

  const raised = await owner.client.from("team_members").update({ role: "owner" })
    .eq("user_id", user.id);
  assert.equal(raised.error?.code, "42501");
  const again = await invite(owner, team, { invitee_id: user.id, role: "member" });
  assert.equal(again.body.code, "already_member");
});

test("an address is invited whether or not it has an account, and only who has confirmed it can accept", async () => {
  const [owner, invited, other] = await Promise.all([signUp(), signUp(), signUp()]);
  const team = await createTeam(owner);
  const [known, unknown] = await Promise.all(
    [invited.email, `${crypto.randomUUID()}@example.com`].map((email) =>
      invite(owner, team, { email: email.toUpperCase(), role: "admin" })
    ),
  );
  assert.ok(known && unknown);
  const shape = ({ status, body }: typeof known) => [
    status,
    { ...body, id: "", email: "", created_at: "", expires_at: "" },
  ];
  assert.deepEqual(shape(known), shape(unknown));
  assert.equal(known.body.email, invited.email);

  for (const answer of ["accept", "decline"] as const) {
    const refused = await answerTo(other, known.body.id, answer);
    assert.equal(refused.status, 404);
    assert.equal(refused.body.code, "invitation_not_found");
  }
  assert.deepEqual((await other.client.from("team_invitations").select()).data, []);

  await withDatabase((sql) =>
    sql`update auth.users set email_confirmed_at = null where id = ${invited.id}`
  );
  assert.equal((await answerTo(invited, known.body.id, "accept")).status, 404);
  assert.deepEqual((await invited.client.from("team_invitations").select()).data, []);
  await withDatabase((sql) =>
    sql`update auth.users set email_confirmed_at = now() where id = ${invited.id}`
  );
  assert.equal((await answerTo(invited, known.body.id, "accept")).status, 200);
  assert.equal((await rolesIn(team))[invited.id], "admin");
});

test("an invitation can be declined, revoked, replaced, and expires", async () => {
  const [owner, user] = await Promise.all([signUp(), signUp()]);
  const team = await createTeam(owner);
  const send = async (role = "member") =>
    (await invite(owner, team, { invitee_id: user.id, role })).body.id as string;

  const declined = await send();
  assert.equal((await answerTo(user, declined, "decline")).body.status, "declined");
  assert.equal((await answerTo(user, declined, "decline")).status, 200);
  const late = await answerTo(user, declined, "accept");
  assert.equal(late.status, 409);
  assert.equal(late.body.code, "invitation_answered");
  assert.equal(late.body.invitation_status, "declined");

  const revoked = await send();
  assert.equal((await revoke(owner, revoked)).body.status, "revoked");
  assert.equal((await revoke(owner, revoked)).status, 200);
  assert.equal((await answerTo(user, revoked, "accept")).body.code, "invitation_answered");

  const replaced = await send();
  const current = await send("admin");
  assert.equal((await answerTo(user, replaced, "accept")).body.code, "invitation_answered");
  await withDatabase((sql) =>
    sql`update team_invitations set expires_at = now() where id = ${current}`
  );
  const expired = await answerTo(user, current, "accept");
  assert.equal(expired.status, 410);
  assert.equal(expired.body.code, "invitation_expired");
  assert.equal((await answerTo(user, await send(), "accept")).status, 200);
  assert.equal((await revoke(owner, replaced)).status, 200);
});

test("members do not invite, admins invite no owner, and an invitation ends with who made it", async () => {
  const [owner, admin, member, guest, stranger] = await Promise.all([
    signUp(),
    signUp(),
    signUp(),
    signUp(),
    signUp(),
  ]);
  const team = await createTeam(owner);
  await join(owner, team, admin, "admin");
  await join(owner, team, member);
  const as = (by: TestUser, role: string) => invite(by, team, { invitee_id: guest.id, role });
  assert.equal((await as(member, "member")).body.code, "not_team_admin");
  assert.equal((await as(admin, "owner")).body.code, "not_team_owner");
  assert.equal((await as(stranger, "member")).body.code, "team_not_found");
  const { body: offered } = await as(owner, "owner");
  assert.equal((await revoke(admin, offered.id)).body.code, "not_team_owner");
  assert.equal((await revoke(member, offered.id)).body.code, "not_team_admin");
  assert.equal((await revoke(stranger, offered.id)).body.code, "invitation_not_found");

  const { body: invitation } = await as(admin, "member");
  await owner.client.from("team_members").update({ role: "member" }).eq("user_id", admin.id);
  const refused = await answerTo(guest, invitation.id, "accept");
  assert.equal(refused.status, 410);
  assert.equal(refused.body.code, "invitation_void");
  assert.equal((await leave(admin, team)).status, 200);
  assert.equal((await answerTo(guest, invitation.id, "accept")).status, 404);
  assert.equal((await rolesIn(team))[guest.id], undefined);
});

test("pending invitations of a team and daily invitations of a user have limits, exact for 10 at once", async () => {
  const owner = await signUp();
  const team = await createTeam(owner);
  const send = (count: number) =>
    Promise.all(
      Array.from({ length: count }, () =>
        invite(owner, team, { email: `${crypto.randomUUID()}@example.com`, role: "member" })),
    );
  await withDatabase(async (sql) => {
    const set = (name: string, value: number) =>
      sql`update private.settings set value = ${value} where name = ${name}`;
    try {
      await set("teams.pending_invitations", 4);
      const answers = await send(10);
      assert.deepEqual(
        answers.map(({ status }) => status).sort(),
        [...Array(4).fill(201), ...Array(6).fill(429)],
      );
      const refused = answers.find(({ status }) => status === 429);
      assert.equal(refused?.body.code, "too_many_invitations");
      assert.equal(refused?.body.limit, 4);
      await set("teams.pending_invitations", 100);
      await set("teams.daily_invitations", 5);
      assert.deepEqual((await send(2)).map(({ status }) => status).sort(), [201, 429]);
      await set("teams.owned", 1);
      const second = await invoke(owner.client, "teams", { body: { name: "Two" } });
      assert.equal(second.body.code, "too_many_teams");
      await set("teams.members", 1);
      const user = await signUp();
      await set("teams.daily_invitations", 200);
      const { body } = await invite(owner, team, { invitee_id: user.id, role: "member" });
      assert.equal((await answerTo(user, body.id, "accept")).body.code, "too_many_members");
    } finally {
      await set("teams.pending_invitations", 100);
      await set("teams.daily_invitations", 200);
      await set("teams.owned", 20);
      await set("teams.members", 1000);
    }
  });
});

test("members leave; the last owner hands over or deletes the team, whose projects stay with their owners", async () => {
  const [owner, heir] = await Promise.all([signUp(), signUp()]);
  const team = await createTeam(owner);
  await join(owner, team, heir);
  const stuck = await leave(owner, team);
  assert.equal(stuck.status, 409);
  assert.equal(stuck.body.code, "last_owner");
  await join(owner, team, heir, "owner");
  assert.equal((await leave(owner, team)).body.role, "owner");
  assert.equal((await leave(owner, team)).body.code, "team_not_found");
  assert.deepEqual(await rolesIn(team), { [heir.id]: "owner" });

  await join(heir, team, owner);
  const { data: kept } = await owner.client.from("projects")
    .insert({ user_id: owner.id, team_id: team, title: "P" }).select("id").single();
  await invoke(service, "credits/grants", { body: { team_id: team, amount: 30 } });
  const remove = (user: TestUser, query = "", headers = {}) =>
    invoke(user.client, `teams/${team}${query}`, { method: "DELETE", headers });
  assert.equal((await remove(owner)).body.code, "not_team_owner");
  const { body: hold } = await invoke(service, "credits/holds", {
    body: { team_id: team, amount: 5 },
  });
  const holding = await remove(heir);
  assert.equal(holding.body.code, "team_has_holds");
  assert.equal(holding.body.open_holds, 1);
  await invoke(service, `credits/holds/${hold.id}/capture`, { body: {} });
  await service.from("teams").update({ stripe_subscription_id: `sub_${team}` }).eq("id", team);
  const paying = await remove(heir);
  assert.equal(paying.status, 409);
  assert.deepEqual(paying.body.subscription_ids, [`sub_${team}`]);
  await service.from("teams").update({ subscription_status: "canceled" }).eq("id", team);

  const headers = { "idempotency-key": crypto.randomUUID() };
  const gone = await remove(heir, "?delete_projects=true", headers);
  assert.equal(gone.status, 200);
  assert.deepEqual([gone.body.credits, gone.body.projects], [25, 1]);
  const again = await remove(heir, "?delete_projects=true", headers);
  assert.equal(again.headers.get("idempotent-replayed"), "true");
  assert.deepEqual(again.body, gone.body);
  assert.equal((await remove(heir)).body.code, "team_not_found");
  const { data: project } = await owner.client.from("projects").select("team_id, status")
    .eq("id", kept?.id ?? "").single();
  assert.deepEqual(project, { team_id: null, status: "deleted" });
  const restored = await invoke(owner.client, `projects/${kept?.id}/restore`, { body: {} });
  assert.equal(restored.body.project.status, "active");
});

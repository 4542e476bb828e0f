import assert from "node:assert/strict";

import { serviceClient, signUp, test } from "../../functions/_testing/testing.ts";

test("two owners who leave a team at the same time leave one owner behind", async () => {
  const [one, two] = await Promise.all([signUp(), signUp()]);
  const service = serviceClient();
  for (let round = 0; round < 5; round++) {
    const { data: team } = await service.from("teams").insert({ name: "T" }).select("id").single();
    assert.ok(team);
    await service.from("team_members").insert([one, two].map((user) => ({
      team_id: team.id,
      user_id: user.id,
      role: "owner",
    })));
    const answers = await Promise.all(
      [one, two].map((user) =>
        user.client.from("team_members").delete().eq("team_id", team.id).eq("user_id", user.id)
      ),
    );
    assert.deepEqual(answers.map((answer) => answer.status).sort(), [204, 409]);
    assert.deepEqual(answers.flatMap((answer) => answer.error?.details ?? []), ["last_owner"]);
    const { count } = await service.from("team_members").select("*", { count: "exact", head: true })
      .eq("team_id", team.id);
    assert.equal(count, 1);
  }
});

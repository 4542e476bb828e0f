import assert from "node:assert/strict";

import { invoke, signUp, test } from "../_testing/testing.ts";

test("a user finds their messages in any script, without accents, and nobody else's", async () => {
  const [user, other] = await Promise.all([signUp(), signUp()]);
  for (const content of ["昨日、東京都で猫を見た", "Un café à Łódź"]) {
    const body = { message: { role: "user", content } };
    assert.equal((await invoke(user.client, "conversations", { body })).status, 201);
  }
  // Written directly, as Wbot does.
  const { data: conversation } = await user.client.from("conversations")
    .insert({ user_id: user.id }).select().single();
  const { error } = await user.client.from("messages")
    .insert({ conversation_id: conversation?.id ?? "", role: "user", content: "서울의 김치" });
  assert.equal(error, null);
  for (const query of ["東京", "猫", "cafe lodz", "김치"]) {
    const { data } = await user.client.rpc("search_messages", { query });
    assert.equal(data?.length, 1, query);
    assert.match(data[0]?.snippet ?? "", /<mark>/, query);
    assert.deepEqual((await other.client.rpc("search_messages", { query })).data, [], query);
  }
});

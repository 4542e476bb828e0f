import assert from "node:assert/strict";

import { envelope } from "../_testing/envelope.ts";
import {
  anonymousClient,
  invoke,
  serviceClient,
  signUp,
  test,
  withDatabase,
} from "../_testing/testing.ts";
import { save, setKeys } from "./chats_testing.ts";

test("PUT /chats/:id creates a chat, saves over the version that was read and refuses any other", async () => {
  const user = await signUp();
  const key = await setKeys(user);
  const id = crypto.randomUUID();
  const first = envelope(key);

  const made = await save(user, id, { expected_version: 0, encrypted_data: first });
  assert.equal(made.status, 201);
  assert.deepEqual(
    { ...made.body, created_at: 0, updated_at: 0 },
    {
      id,
      version: 1,
      data_version: 1,
      next_segment: 0,
      is_starred: false,
      key_id: key,
      bytes: first.length,
      created_at: 0,
      updated_at: 0,
    },
  );

  const second = envelope(key);
  const saved = await save(user, id, { expected_version: 1, encrypted_data: second });
  assert.equal(saved.status, 200);
  assert.equal(saved.body.version, 2);

  const late = await save(user, id, { expected_version: 1, encrypted_data: envelope(key) });
  assert.equal(late.status, 409);
  assert.equal(late.body.code, "version_conflict");
  assert.equal(late.body.version, 2);
  assert.equal(late.body.chat.encrypted_data, second);

  const read = await invoke(user.client, `chats/${id}`);
  assert.equal(read.body.encrypted_data, second);
  assert.equal(read.body.version, 2);
});

test("of two devices that save at once, one succeeds and the other gets a conflict", async () => {
  const user = await signUp();
  const key = await setKeys(user);
  const id = crypto.randomUUID();
  await save(user, id, { expected_version: 0, encrypted_data: envelope(key) });
  const answers = await Promise.all(
    Array.from(
      { length: 10 },
      () => save(user, id, { expected_version: 1, encrypted_data: envelope(key) }),
    ),
  );
  const statuses = answers.map((answer) => answer.status).sort();
  assert.deepEqual(statuses, [200, ...Array(9).fill(409)]);
  const made = await Promise.all(
    Array.from({ length: 5 }, () =>
      save(user, id.replace(/^.{8}/, "00000000"), {
        expected_version: 0,
        encrypted_data: envelope(key),
      })),
  );
  assert.deepEqual(made.map((answer) => answer.status).sort(), [201, 409, 409, 409, 409]);
});

test("POST /chats/:id/segments appends a segment, and saving the whole chat replaces the segments", async () => {
  const user = await signUp();
  const key = await setKeys(user);
  const id = crypto.randomUUID();
  await save(user, id, { expected_version: 0, encrypted_data: envelope(key) });
  const segments = [envelope(key), envelope(key), envelope(key)];
  for (const [number, encrypted_data] of segments.entries()) {
    const { status, body } = await invoke(user.client, `chats/${id}/segments`, {
      body: { expected_version: number + 1, number, encrypted_data },
    });
    assert.equal(status, 201);
    assert.equal(body.next_segment, number + 1);
  }
  const read = await invoke(user.client, `chats/${id}?from_segment=1&known_data_version=1`);
  assert.equal(read.body.encrypted_data, null);
  assert.deepEqual(read.body.segments, [
    { number: 1, encrypted_data: segments[1] },
    { number: 2, encrypted_data: segments[2] },
  ]);

  const late = await invoke(user.client, `chats/${id}/segments`, {
    body: { expected_version: 3, number: 3, encrypted_data: envelope(key) },
  });
  assert.equal(late.status, 409);
  assert.equal(late.body.code, "version_conflict");
  assert.equal(late.body.chat.next_segment, 3);

  const direct = await user.client.from("encrypted_chats")
    .update({ encrypted_data: envelope(key) }).eq("id", id);
  assert.equal(direct.error?.details, "chat_has_segments");

  const whole = envelope(key);
  const compacted = await save(user, id, { expected_version: 4, encrypted_data: whole });
  assert.equal(compacted.body.next_segment, 3);
  const after = await invoke(user.client, `chats/${id}`);
  assert.deepEqual([after.body.encrypted_data, after.body.segments], [whole, []]);
});

test("PATCH /chats/:id stars and renames; DELETE deletes and is safe to repeat", async () => {
  const user = await signUp();
  const key = await setKeys(user);
  const id = crypto.randomUUID();
  const encrypted_data = envelope(key);
  await save(user, id, { expected_version: 0, encrypted_data });
  const title = envelope(key);
  const starred = await invoke(user.client, `chats/${id}`, {
    method: "PATCH",
    body: { expected_version: 1, is_starred: true, encrypted_title: title },
  });
  assert.deepEqual([starred.body.version, starred.body.is_starred], [2, true]);
  const { body } = await invoke(user.client, `chats/${id}`);
  assert.deepEqual([body.encrypted_title, body.encrypted_data], [title, encrypted_data]);

  const late = await invoke(user.client, `chats/${id}?expected_version=1`, { method: "DELETE" });
  assert.deepEqual([late.status, late.body.code], [409, "version_conflict"]);
  for (const replayed of [null, "true"]) {
    const gone = await invoke(user.client, `chats/${id}?expected_version=2`, { method: "DELETE" });
    assert.deepEqual([gone.status, gone.body], [200, { id, deleted: true }]);
    assert.equal(gone.headers.get("idempotent-replayed"), replayed);
  }
  const again = await save(user, id, { expected_version: 2, encrypted_data: envelope(key) });
  assert.deepEqual([again.status, again.body.code], [410, "chat_deleted"]);
});

test("an Idempotency-Key repeats its own save and refuses another request", async () => {
  const user = await signUp();
  const key = await setKeys(user);
  const id = crypto.randomUUID();
  const headers = { "idempotency-key": crypto.randomUUID() };
  const body = { expected_version: 0, encrypted_data: envelope(key) };
  const options = { method: "PUT" as const, body, headers };
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => invoke(user.client, `chats/${id}`, options)),
  );
  for (const answer of answers) assert.deepEqual([answer.status, answer.body.version], [201, 1]);
  const fresh = answers.filter((answer) => !answer.headers.has("idempotent-replayed"));
  assert.equal(fresh.length, 1);
  const other = await invoke(user.client, `chats/${id}/segments`, {
    body: { expected_version: 1, number: 0, encrypted_data: envelope(key) },
    headers,
  });
  assert.deepEqual([other.status, other.body.code], [422, "idempotency_key_reused"]);
});

test("an envelope of 8 MiB is saved and read, and one byte more is refused", async () => {
  const user = await signUp();
  const id = crypto.randomUUID();
  const largest = JSON.stringify({ ...JSON.parse(envelope()), ciphertext: "" });
  const room = 8 * 1024 * 1024 - largest.length;
  const text = "A".repeat(room - room % 4);
  const encrypted_data = JSON.stringify({ ...JSON.parse(largest), ciphertext: text });
  const made = await save(user, id, { expected_version: 0, encrypted_data });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const read = await invoke(user.client, `chats/${id}`);
  assert.ok(read.body.encrypted_data === encrypted_data);

  const larger = encrypted_data.padEnd(8 * 1024 * 1024 + 1);
  const refused = await save(user, crypto.randomUUID(), {
    expected_version: 0,
    encrypted_data: larger,
  });
  assert.deepEqual([refused.status, refused.body.code], [413, "envelope_too_large"]);
  const huge = await save(user, crypto.randomUUID(), {
    expected_version: 0,
    encrypted_data: "x".repeat(17 * 1024 * 1024),
  });
  assert.deepEqual([huge.status, huge.body.code], [413, "body_too_large"]);
});

test("bad requests get their codes, and nothing is saved", async () => {
  const user = await signUp();
  const key = await setKeys(user);
  const id = crypto.randomUUID();
  const good = { expected_version: 0, encrypted_data: envelope(key) };
  for (
    const [body, status, code] of [
      [{ ...good, encrypted_data: undefined }, 422, "invalid_request"],
      [{ ...good, encrypted_data: JSON.parse(good.encrypted_data) }, 422, "invalid_request"],
      [{ ...good, encrypted_data: "hello" }, 422, "envelope_malformed"],
      [{ ...good, encrypted_data: envelope() }, 409, "key_epoch_old"],
      [{ ...good, encrypted_data: envelope(crypto.randomUUID()) }, 422, "envelope_key_unknown"],
      [{ ...good, encrypted_title: "" }, 422, "envelope_malformed"],
      [{ ...good, encrypted_title: good.encrypted_data }, 409, "nonce_reused"],
      [{ ...good, encrypted_data: "\u0000" }, 422, "invalid_value"],
      [{ ...good, expected_version: "0" }, 422, "invalid_request"],
      [{ ...good, expected_version: -1 }, 422, "invalid_request"],
      [{ ...good, expected_version: 0.5 }, 422, "invalid_request"],
      [{ ...good, expected_version: 1e300 }, 422, "invalid_request"],
      [{ ...good, expected_version: undefined }, 422, "invalid_request"],
      [{ ...good, expected_version: 7 }, 404, "chat_not_found"],
      [{ ...good, title: "clear" }, 422, "invalid_request"],
      [{ ...good, expected_version: 2 ** 40 }, 404, "chat_not_found"],
      [{ ...good, user_id: crypto.randomUUID() }, 422, "invalid_request"],
      [{ ...good, is_starred: "yes" }, 422, "invalid_request"],
      [[], 422, "invalid_request"],
    ] as const
  ) {
    const answer = await save(user, id, body as Record<string, unknown>);
    assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(body));
  }
  const odd = await save(user, "not-a-uuid", good);
  assert.deepEqual([odd.status, odd.body.code], [422, "invalid_request"]);
  const query = await invoke(user.client, `chats/${id}?from_segment=x`);
  assert.deepEqual([query.status, query.body.code], [422, "invalid_request"]);
  const { data } = await user.client.from("encrypted_chats").select();
  assert.deepEqual(data, []);
});

test("a stranger gets the same response for a chat that exists and for one that does not", async () => {
  const owner = await signUp();
  const ownersKey = await setKeys(owner);
  const stranger = await signUp();
  const key = await setKeys(stranger);
  const there = crypto.randomUUID();
  await save(owner, there, { expected_version: 0, encrypted_data: envelope(ownersKey) });
  const deleted = crypto.randomUUID();
  await save(owner, deleted, { expected_version: 0, encrypted_data: envelope(ownersKey) });
  await invoke(owner.client, `chats/${deleted}`, { method: "DELETE" });

  const attempts = async (id: string) => {
    const segment = { expected_version: 1, number: 0, encrypted_data: envelope(key) };
    const change = { expected_version: 1, is_starred: true };
    const all = [
      await invoke(stranger.client, `chats/${id}`),
      await save(stranger, id, { expected_version: 1, encrypted_data: envelope(key) }),
      await invoke(stranger.client, `chats/${id}`, { method: "PATCH", body: change }),
      await invoke(stranger.client, `chats/${id}/segments`, { body: segment }),
      await invoke(stranger.client, `chats/${id}`, { method: "DELETE" }),
      // Last, because it creates a chat of the stranger's own.
      await save(stranger, id, { expected_version: 0, encrypted_data: envelope(key) }),
    ];
    return all.map((answer) => [answer.status, answer.body.code]);
  };
  const unknown = await attempts(crypto.randomUUID());
  assert.deepEqual(unknown, [...Array(5).fill([404, "chat_not_found"]), [201, undefined]]);
  assert.deepEqual(await attempts(there), unknown);
  assert.deepEqual(await attempts(deleted), unknown);

  const { data: chats } = await stranger.client.from("encrypted_chats").select("user_id");
  assert.deepEqual(new Set(chats?.map((chat) => chat.user_id)), new Set([stranger.id]));
  const { count } = await stranger.client.from("chat_segments")
    .select("*", { count: "exact", head: true });
  assert.equal(count, 0);
  const mine = await invoke(owner.client, `chats/${there}`);
  assert.equal(mine.body.version, 1);
});

test("anon and the service have no access to chats", async () => {
  const id = crypto.randomUUID();
  for (const client of [anonymousClient(), serviceClient()]) {
    for (
      const [path, options] of [
        [`chats/${id}`, {}],
        [`chats/${id}`, { method: "PUT", body: {} }],
        [`chats/${id}`, { method: "PATCH", body: {} }],
        [`chats/${id}`, { method: "DELETE" }],
        [`chats/${id}/segments`, { body: {} }],
        ["chats/keys", {}],
        ["chats/keys", { method: "PUT", body: {} }],
        ["chats/keys/rotate", { body: {} }],
        [`chats/keys/devices/${id}`, { method: "DELETE" }],
      ] as const
    ) {
      const answer = await invoke(client, path, options);
      assert.equal(answer.status, 401, path);
    }
    const sync = await client.rpc("sync_chats");
    assert.equal(sync.error?.code, "42501");
  }
});

test("a chat that exceeds the user's quota is refused, with the bytes that are left", async () => {
  const user = await signUp();
  const id = crypto.randomUUID();
  await save(user, id, { expected_version: 0, encrypted_data: envelope() });
  await withDatabase((sql) =>
    sql`update private.chat_owners set bytes = 1024 * 1024 * 1024 - 100 where user_id = ${user.id}`
  );
  const refused = await save(user, crypto.randomUUID(), {
    expected_version: 0,
    encrypted_data: envelope(),
  });
  assert.deepEqual([refused.status, refused.body.code], [413, "chat_quota_exceeded"]);
  assert.equal(refused.body.available, 100);
});

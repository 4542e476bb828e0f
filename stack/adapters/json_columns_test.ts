import assert from "node:assert/strict";

import {
  anonymousClient,
  serviceClient,
  signUp,
  test,
  withDatabase,
} from "../../supabase/functions/_testing/testing.ts";
import { createBucket } from "./storage_testing.ts";

test("a user's sign-up data is an object that triggers can read", async () => {
  const email = `${crypto.randomUUID()}@example.com`;
  const client = anonymousClient();
  const { data, error } = await client.auth.signUp({
    email,
    password: "correct horse battery",
    options: { data: { display_name: " Zoë ", age: 7 } },
  });
  assert.equal(error, null);
  const { data: profile } = await client.from("profiles").select("display_name").single();
  assert.deepEqual(profile, { display_name: "Zoë" });

  await client.auth.updateUser({ data: { age: 8 } });
  const [row] = await withDatabase((sql) =>
    sql`select u.raw_user_meta_data -> 'age' as age, jsonb_typeof(u.raw_app_meta_data) as app, i.email
      from auth.users u join auth.identities i on i.user_id = u.id where u.id = ${data.user!.id}`
  );
  assert.deepEqual({ ...row }, { age: 8, app: "object", email });
});

test("an object's metadata is an object that policies can read", async () => {
  const name = await createBucket();
  await serviceClient().storage.from(name).upload("x.txt", new TextEncoder().encode("four"));
  const [row] = await withDatabase((sql) =>
    sql`select (metadata ->> 'size')::int as size from storage.objects where bucket_id = ${name}`
  );
  assert.equal(row?.size, 4);
});

test("JSON columns of the product stay unchanged", async () => {
  const { id, client } = await signUp();
  for (const preferences of [{ a: [1, "x"] }, "a string", 7, [1, { b: null }], null]) {
    const written = await client.from("profiles").update({ preferences: preferences ?? {} }).eq(
      "id",
      id,
    )
      .select("preferences").single();
    assert.deepEqual(written.data, { preferences: preferences ?? {} });
  }
});

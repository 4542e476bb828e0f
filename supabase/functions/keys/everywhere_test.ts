import assert from "node:assert/strict";

import {
  functionsUrl,
  invoke,
  signUp,
  stack,
  test,
  type TestUser,
  withDatabase,
} from "../_testing/testing.ts";

/** A route, and which credentials its description names. */
interface Route {
  method: string;
  path: string;
  credentials: string[];
}

/** The routes of all functions, as their openapi.json describes them. */
function allRoutes(): Route[] {
  const functions = new URL("..", import.meta.url);
  return [...Deno.readDirSync(functions)].flatMap(({ name }) => {
    let text;
    try {
      text = Deno.readTextFileSync(new URL(`${name}/openapi.json`, functions));
    } catch {
      return [];
    }
    const { paths } = JSON.parse(text) as {
      paths: Record<string, Record<string, { security?: Record<string, unknown>[] }>>;
    };
    return Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([method, { security }]) =>
        security
          ? [{
            method: method.toUpperCase(),
            path: path.replace(/\{\w+\}/g, "5d2ab7a3-57d8-4ad5-9a3c-7b7c7b1d5f10"),
            credentials: security.flatMap((one) => Object.keys(one)),
          }]
          : []
      )
    );
  });
}

/** Sends a request without a useful body, and returns the status and the code of the problem. */
async function send(key: string, { method, path }: Route): Promise<[number, string | undefined]> {
  const response = await fetch(`${functionsUrl}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      apikey: stack.publishableKey,
      "content-type": "application/json",
    },
    ...(method !== "GET" && { body: "{}" }),
  });
  const text = await response.text();
  return [response.status, response.ok ? undefined : JSON.parse(text).code];
}

async function createKey(
  user: TestUser,
  permissions: string[],
): Promise<{ id: string; key: string }> {
  const { status, body } = await invoke(user.client, "keys", { body: { name: "k", permissions } });
  assert.equal(status, 201);
  return { id: body.api_key?.id ?? body.id, key: body.key };
}

const ALL = [
  "answers:write",
  "credits:read",
  "credits:write",
  "messages:write",
  "projects:write",
  "files:read",
  "files:write",
];

test("on every route of every function, a key that is not valid gets nothing, and a valid one what is described", async () => {
  const routes = allRoutes();
  assert.ok(routes.length > 60, `${routes.length} routes`);
  const user = await signUp();
  const { key: good } = await createKey(user, ALL);
  const { key: poor } = await createKey(user, ["files:read"]);
  const { id: disabled_id, key: disabled } = await createKey(user, ALL);
  const { id: expired_id, key: expired } = await createKey(user, ALL);
  const { id: deleted_id, key: deleted } = await createKey(user, ALL);
  await withDatabase(async (sql) => {
    await sql`update api_keys set is_active = false where id = ${disabled_id}`;
    await sql`update api_keys set expires_at = now() - interval '1 second' where id = ${expired_id}`;
    await sql`delete from api_keys where id = ${deleted_id}`;
  });
  const guessed = good.slice(0, -1) + (good.endsWith("A") ? "B" : "A");
  for (const route of routes) {
    const where = `${route.method} ${route.path}`;
    // Webhooks are signed, and know no other credentials.
    if (route.credentials.length === 0) continue;
    // Others do not even look at it.
    const takesKeys = route.credentials.includes("apiKey");
    for (const [kind, key] of Object.entries({ disabled, expired, deleted, guessed })) {
      const [status] = await send(key, route);
      assert.equal(status, takesKeys ? 401 : 403, `${where} with a key that is ${kind}`);
    }
    const [status, code] = await send(good, route);
    const refused = [401, 403].includes(status);
    assert.equal(refused, !takesKeys, `${where}: ${status} ${code}`);
    if (route.path !== "/files/usage") {
      assert.deepEqual(await send(poor, route), [403, "permission_missing"], where);
    }
  }
});

test("no key opens the Data API, Storage or Auth", async () => {
  const user = await signUp();
  const { key } = await createKey(user, ALL);
  const paths = [
    "/rest/v1/profiles?select=id",
    "/rest/v1/rpc/my_credits",
    "/storage/v1/object/list/avatars",
    "/auth/v1/user",
  ];
  for (const path of paths) {
    for (const apikey of [stack.publishableKey, key]) {
      const response = await fetch(`${stack.url}${path}`, {
        headers: { authorization: `Bearer ${key}`, apikey },
      });
      const text = await response.text();
      assert.ok(response.status >= 400 && response.status < 500, `${path}: ${response.status}`);
      assert.ok(!text.includes(user.id), path);
    }
  }
});

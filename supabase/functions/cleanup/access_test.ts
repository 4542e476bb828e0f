import assert from "node:assert/strict";

import { fetchChecked } from "../_testing/answers.ts";
import {
  anonymousClient,
  cronClient,
  functionsUrl,
  invoke,
  serviceClient,
  signUp,
  stack,
  test,
} from "../_testing/testing.ts";

const ROUTES = [
  { path: "cleanup", options: { body: { jobs: ["finished_tasks"] } } },
  { path: "cleanup", options: {} },
  { path: "cleanup/runs", options: {} },
];

test("cleanup accepts the secret key named cron on every route", async () => {
  for (const { path, options } of ROUTES) {
    assert.equal((await invoke(cronClient(), path, options)).status, 200);
  }
});

test("cleanup refuses a user, the default secret key, a publishable key, no key and a wrong one", async () => {
  const user = await signUp();
  const callers = [
    [user.client, "credentials_missing"],
    [serviceClient(), "invalid_api_key"],
    [anonymousClient(), "credentials_missing"],
  ] as const;
  for (const { path, options } of ROUTES) {
    for (const [client, code] of callers) {
      const { status, body } = await invoke(client, path, options);
      assert.deepEqual([status, body.code], [401, code]);
    }
    const method = options.body ? "POST" : "GET";
    for (
      const headers of [
        {},
        { authorization: `Bearer ${user.token}` },
        { authorization: `Bearer ${stack.cronKey}` },
        { apikey: `${stack.cronKey}x` },
      ] as Record<string, string>[]
    ) {
      const init = { method, headers, ...(options.body && { body: "{}" }) };
      const response = await fetchChecked(`${functionsUrl}/${path}`, init);
      assert.equal(response.status, 401, JSON.stringify(headers));
      await response.body?.cancel();
    }
  }
});

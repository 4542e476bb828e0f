import { Validator } from "@seriousme/openapi-schema-validator";
import assert from "node:assert/strict";

import { functionsUrl, test } from "../_testing/testing.ts";
import { app as chats } from "../chats/app.ts";
import { app as cleanup } from "../cleanup/app.ts";
import { app as conversations } from "../conversations/app.ts";
import { app as credits } from "../credits/app.ts";
import { app as files } from "../files/app.ts";
import { app as projects } from "../projects/app.ts";
import { app as webhooks } from "../webhooks/app.ts";

/** Every function with its app. */
const APPS = { chats, cleanup, conversations, credits, files, projects, webhooks };

test("every function serves its OpenAPI document, and the document is valid", async () => {
  const names = [...Deno.readDirSync(new URL("..", import.meta.url))]
    .filter((entry) => entry.isDirectory && !entry.name.startsWith("_"))
    .map((entry) => entry.name);
  assert.deepEqual(names.sort(), Object.keys(APPS).sort());

  for (const name of names) {
    const response = await fetch(`${functionsUrl}/${name}/openapi.json`);
    assert.equal(response.status, 200);
    const document = await response.json();
    const result = await new Validator().validate(document);
    assert.ok(result.valid, JSON.stringify(result.errors));
    assert.equal(document.openapi, "3.1.0");
  }
});

test("the OpenAPI documents describe exactly the existing routes", async () => {
  for (const [name, app] of Object.entries(APPS)) {
    const { paths } = await (await fetch(`${functionsUrl}/${name}/openapi.json`)).json();
    const described = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations as object).map((method) => `${method.toUpperCase()} ${path}`)
    );
    const routed = app.routes.filter((route) => route.method !== "ALL")
      .map((route) => `${route.method} ${route.path.replace(/:(\w+)/g, "{$1}")}`)
      .filter((route) => !route.endsWith("/openapi.json"));
    assert.deepEqual(described.sort(), [...new Set(routed)].sort());
  }
});

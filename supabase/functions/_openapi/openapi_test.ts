import { Validator } from "@seriousme/openapi-schema-validator";
import type { Hono } from "hono";
import assert from "node:assert/strict";

import { functionsUrl, test } from "../_testing/testing.ts";

/** Every function. */
const NAMES = [...Deno.readDirSync(new URL("..", import.meta.url))]
  .filter((entry) => entry.isDirectory && !entry.name.startsWith("_"))
  .map((entry) => entry.name);

async function appOf(name: string): Promise<Hono> {
  return (await import(new URL(`../${name}/app.ts`, import.meta.url).href)).app;
}

test("every function serves its OpenAPI document, and the document is valid", async () => {
  assert.ok(NAMES.includes("credits"));
  for (const name of NAMES) {
    const response = await fetch(`${functionsUrl}/${name}/openapi.json`);
    assert.equal(response.status, 200);
    const document = await response.json();
    const result = await new Validator().validate(document);
    assert.ok(result.valid, JSON.stringify(result.errors));
    assert.equal(document.openapi, "3.1.0");
  }
});

test("the OpenAPI documents describe exactly the existing routes", async () => {
  for (const name of NAMES) {
    const app = await appOf(name);
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

import assert from "node:assert/strict";

import { functionsUrl, signUp, stack, test, type TestUser } from "../_testing/testing.ts";

/** A schema of an OpenAPI document. */
interface Schema {
  $ref?: string;
  type?: string;
  format?: string;
  enum?: unknown[];
  minimum?: number;
  anyOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
}

/** What this test reads of the description of a route. */
interface Operation {
  security: Record<string, unknown>[];
  parameters?: { in: string; name: string }[];
  requestBody?: { content: { "application/json": { schema: Schema } } };
}

/** A route, and one of the callers that its document names. */
interface Route {
  name: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  query: string[];
  /** The shapes of its body. */
  shapes: Schema[];
}

/** Every route of every function, as each of its callers. */
async function listRoutes(user: TestUser): Promise<Route[]> {
  const names = [...Deno.readDirSync(new URL("..", import.meta.url))]
    .filter(({ name, isDirectory }) => isDirectory && !name.startsWith("_"))
    .map(({ name }) => name);
  const routes: Route[] = [];
  for (const name of names) {
    const document = await (await fetch(`${functionsUrl}/${name}/openapi.json/`)).json();
    const resolve = resolver(document.components.schemas);
    for (const [path, operations] of Object.entries<object>(document.paths)) {
      for (const [method, operation] of Object.entries<Operation>({ ...operations })) {
        const body = operation.requestBody?.content["application/json"].schema;
        const callers = operation.security.flatMap((mode) => Object.keys(mode))
          // An API key is its user.
          .filter((caller) => caller !== "apiKey");
        for (const caller of callers.length > 0 ? callers : ["nobody"]) {
          routes.push({
            name: `${method} ${path} as ${caller}`,
            method: method.toUpperCase(),
            path: path.replace(/\{[^}]*\}/g, crypto.randomUUID()),
            headers: credentials(caller, name, user),
            query: operation.parameters?.flatMap((one) => one.in === "query" ? one.name : []) ?? [],
            shapes: body ? shapesOf(resolve(body)) : [],
          });
        }
      }
    }
  }
  return routes;
}

/** Puts the components of a document in the place of the references to them. */
function resolver(components: Record<string, Schema> = {}): (schema: Schema) => Schema {
  return function resolve({ $ref, ...schema }: Schema): Schema {
    if ($ref) return resolve(components[$ref.split("/").at(-1) ?? ""] ?? {});
    const properties = Object.entries(schema.properties ?? {})
      .map(([name, member]) => [name, resolve(member)]);
    return {
      ...schema,
      ...(schema.properties && { properties: Object.fromEntries(properties) }),
      ...(schema.anyOf && { anyOf: schema.anyOf.map(resolve) }),
      ...(schema.items && { items: resolve(schema.items) }),
    };
  };
}

function shapesOf(schema: Schema): Schema[] {
  return schema.anyOf?.flatMap(shapesOf) ?? [schema];
}

function credentials(caller: string, name: string, user: TestUser): Record<string, string> {
  if (caller === "userToken") return { authorization: `Bearer ${user.token}` };
  if (caller === "nobody") return {};
  return { apikey: name === "cleanup" ? stack.cronKey : stack.secretKey };
}

/** A value of a schema. Its objects have the required members only, or the optional ones too, as null. */
function sample(schema: Schema, withNulls = false): unknown {
  const { type, format, properties, required = [], items, minimum = 1 } = schema;
  if (schema.anyOf?.[0]) return sample(schema.anyOf[0], withNulls);
  if (schema.enum) return schema.enum[0];
  if (properties) {
    const names = withNulls
      ? Object.keys(properties).filter((name) =>
        required.includes(name) || !isNullable(properties[name])
      )
      : required;
    return Object.fromEntries(names.map((name) => [
      name,
      required.includes(name) ? sample(properties[name] ?? {}, withNulls) : null,
    ]));
  }
  if (type === "array") return [sample(items ?? {}, withNulls)];
  if (type === "integer" || type === "number") return Math.max(minimum, 1);
  if (type === "boolean") return false;
  if (format === "uuid") return "00000000-0000-4000-8000-000000000000";
  return format === "date-time" ? "2026-11-01T00:00:00Z" : "a";
}

/** Whether null is a value of its own for a member. */
function isNullable(schema?: Schema): boolean {
  return schema?.anyOf?.some(({ type }) => type === "null") ?? false;
}

/** What a route says to a request that is made again and again: the first one may change what the next one finds. */
async function steadyAnswerOf(route: Route, suffix = "", body?: unknown) {
  await answerOf(route, suffix, body);
  return await answerOf(route, suffix, body);
}

/** What a route says to a request. */
async function answerOf({ method, path, headers }: Route, suffix = "", body?: unknown) {
  const response = await fetch(`${functionsUrl}${path}${suffix}`, {
    method,
    headers: { ...headers, "content-type": "application/json", accept: "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const { code, errors } = response.status === 204 ? {} : await response.json();
  return { status: response.status, code, errors };
}

const user = await signUp();
const routes = await listRoutes(user);

test("a slash at the end of a path is the same route, in every function", async () => {
  assert.ok(routes.length > 60);
  for (const route of routes) {
    const body = route.shapes[0] && sample(route.shapes[0]);
    const answer = await steadyAnswerOf(route, "/", body);
    assert.deepEqual(answer, await answerOf(route, "", body), route.name);
    assert.ok(!["route_not_found", "method_not_allowed"].includes(answer.code), route.name);
  }
});

test("forceFunctionRegion is ignored, and so is every parameter where a route has no query", async () => {
  for (const route of routes) {
    const body = route.shapes[0] && sample(route.shapes[0]);
    const parameters = ["forceFunctionRegion=eu-west-1"];
    if (route.query.length === 0) parameters.push("utm_source=x&user_id=1");
    const answer = await steadyAnswerOf(route, `?${parameters.join("&")}`, body);
    assert.deepEqual(answer, await answerOf(route, "", body), route.name);
    if (route.query.length === 0 || route.method !== "GET") continue;
    assert.equal((await answerOf(route, "?utm_source=x")).code, "invalid_request", route.name);
  }
});

test("an optional member that is null is the same as none, in every body; an unknown one is refused", async () => {
  for (const route of routes.filter(({ name }) => !name.endsWith("as nobody"))) {
    const known = route.shapes.flatMap(({ properties = {} }) =>
      Object.keys(properties).filter((name) => !isNullable(properties[name]))
    );
    for (const shape of route.shapes) {
      const name = `${route.name} ${JSON.stringify(sample(shape))}`;
      const body = Object(sample(shape));
      const others = Object.fromEntries(known.map((member) => [member, null]));
      const nulls = { ...others, ...Object(sample(shape, true)) };
      const expected = await answerOf(route, "", body);
      assert.deepEqual(await answerOf(route, "", nulls), expected, name);
      for (const [member, schema] of Object.entries(shape.properties ?? {})) {
        const [plain, nested] = [sample(schema), sample(schema, true)];
        if (JSON.stringify(plain) === JSON.stringify(nested)) continue;
        assert.deepEqual(
          await answerOf(route, "", { ...body, [member]: nested }),
          await answerOf(route, "", { ...body, [member]: plain }),
          `${name} ${member}`,
        );
      }
      const unknown = await answerOf(route, "", { ...body, nonsense: null });
      assert.equal(unknown.code, "invalid_request", name);
    }
  }
});

/**
 * `deno task client-types`: writes the types of the functions' routes from their OpenAPI documents.
 *
 * The documents come from the schemas with which the functions check their requests. So a call that compiles has the
 * shape that the function accepts, and a change of a schema changes the types.
 *
 * @module
 */

import openapiTS, { astToString } from "openapi-typescript";

const HELP = `Writes client/generated/routes.ts from supabase/functions/NAME/openapi.json.

  deno task client-types            write it
  deno task client-types --check    only compare; exit 1 if it is out of date
`;

const FUNCTIONS = new URL("../../supabase/functions/", import.meta.url);
const FILE = new URL("../generated/routes.ts", import.meta.url);

/** Members that name the user for whom a service acts. A body that can have one is a body of a service. */
const SERVICE_MEMBERS = ["user_id", "from_user_id"];

/** What this module reads of a JSON Schema. */
interface Schema {
  $ref?: string;
  type?: string;
  pattern?: string;
  enum?: unknown[];
  anyOf?: Schema[];
  allOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  description?: string;
}

type Response = { $ref?: string; content?: Record<string, { schema: Schema }> };

interface Operation {
  summary: string;
  security?: Record<string, unknown>[];
  parameters?: {
    in: string;
    name: string;
    required?: boolean;
    schema: Schema;
  }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, Response>;
}

/** What this module reads of the OpenAPI document of a function. */
export interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: {
    schemas?: Record<string, Schema>;
    responses?: Record<string, Response>;
  };
}

/** Reads the documents of all functions, by name. */
export async function readDocuments(): Promise<Map<string, Document>> {
  const documents = new Map<string, Document>();
  for (const { name, isDirectory } of Deno.readDirSync(FUNCTIONS)) {
    if (!isDirectory || name.startsWith("_")) continue;
    const text = await Deno.readTextFile(
      new URL(`${name}/openapi.json`, FUNCTIONS),
    );
    documents.set(name, JSON.parse(text));
  }
  return new Map([...documents].sort(([a], [b]) => a < b ? -1 : 1));
}

/**
 * Builds the module with the types of all routes.
 *
 * @param documents of the functions, by name
 */
export async function routeTypes(
  documents: Map<string, Document>,
): Promise<string> {
  const schemas: Record<string, Schema> = {};
  const routes: Record<string, Schema> = {};
  for (const [name, { paths, components }] of documents) {
    const own = (schema: Schema): Schema => withPrefix(schema, `${name}_`);
    for (const [schema, body] of Object.entries(components.schemas ?? {})) {
      if (schema !== "ProblemDocument") {
        schemas[`${name}_${schema}`] = own(body);
      }
    }
    for (const [path, operations] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const route = `${method.toUpperCase()} ${path}`;
        routes[route] = own(describeRoute(operation, components));
      }
    }
  }
  schemas.Routes = object(routes);
  const document = {
    openapi: "3.1.0" as const,
    info: { title: "Strongroom", version: "1" },
    paths: {},
    components: { schemas },
  };
  // deno-lint-ignore no-explicit-any -- its types of JSON Schema are narrower than what it reads
  const ast = await openapiTS(document as any, { alphabetize: true });
  const types = astToString(ast)
    .replace(/^export type (paths|webhooks|\$defs|operations)\b.*$/gm, "");
  const text = `${HEADER}\n${types}\nexport type Routes = components["schemas"]["Routes"];\n`;
  // Twice, because the formatter changes some types again when it formats its own output.
  return await formatted(await formatted(text));
}

const HEADER = `/**
 * Every route of the functions: what a user and a service send, what the route answers, and its codes. Written by
 * \`deno task client-types\`.
 *
 * @module
 */
`;

async function formatted(text: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext=ts", "--line-width=100", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { stdout } = await child.output();
  return new TextDecoder().decode(stdout);
}

/** Describes a route as an object whose members become types. */
function describeRoute(
  operation: Operation,
  { responses }: Document["components"],
): Schema {
  const callers = (operation.security ?? []).flatMap((mode) => Object.keys(mode));
  const { user, service } = inputs(operation);
  const codes = new Set<unknown>();
  const answers: Schema[] = [];
  for (const [status, response] of Object.entries(operation.responses)) {
    const { content = {} } = response.$ref
      ? responses?.[response.$ref.split("/").at(-1)!] ?? {}
      : response;
    if (status.startsWith("2")) {
      answers.push(content["application/json"]?.schema ?? {});
    }
    const code = content["application/problem+json"]?.schema.properties?.code;
    for (const one of code?.enum ?? []) codes.add(one);
  }
  const members: Record<string, Schema> = {
    answer: either(answers),
    code: { type: "string", enum: [...codes].sort() },
    ...(callers.includes("userToken") && { user }),
    ...(callers.includes("secretKey") && { service }),
  };
  return { ...object(members), description: operation.summary };
}

/** Splits the body, or the query, into that of a user and that of a service. */
function inputs(
  { parameters = [], requestBody }: Operation,
): { user: Schema; service: Schema } {
  const body = requestBody?.content["application/json"]?.schema;
  const query = parameters.filter((parameter) => parameter.in === "query");
  if (body) {
    const shapes = body.anyOf ?? [body];
    const ofServices = shapes.filter(isOfService);
    const ofUsers = shapes.filter((shape) => !isOfService(shape));
    const withQuery = (schema: Schema) =>
      query.length > 0 ? { allOf: [schema, queryOf(query)] } : schema;
    return {
      user: withQuery(either(ofUsers)),
      service: withQuery(either(ofServices.length > 0 ? ofServices : shapes)),
    };
  }
  const ofUser = query.filter(({ name }) => !SERVICE_MEMBERS.includes(name));
  return { user: queryOf(ofUser), service: queryOf(query) };
}

function isOfService({ properties = {} }: Schema): boolean {
  return SERVICE_MEMBERS.some((member) => member in properties);
}

/** A query is text, but a caller may write a number or a boolean. */
function queryOf(parameters: NonNullable<Operation["parameters"]>): Schema {
  const properties = parameters.map(({ name, schema }) => {
    const isBoolean = schema.enum?.join() === "true,false";
    const isNumber = name === "limit" ||
      /^\^\(?(\\d|\[1-9\])/.test(schema.pattern ?? "");
    const wider: Schema = {
      anyOf: [schema, { type: isBoolean ? "boolean" : "number" }],
    };
    return [name, isBoolean || isNumber ? wider : schema] as const;
  });
  return {
    ...object(Object.fromEntries(properties)),
    required: parameters.filter(({ required }) => required).map(({ name }) => name),
  };
}

function object(properties: Record<string, Schema>): Schema {
  const required = Object.keys(properties);
  return { type: "object", properties, required, additionalProperties: false };
}

function either(schemas: Schema[]): Schema {
  const different = [
    ...new Map(schemas.map((schema) => [JSON.stringify(schema), schema]))
      .values(),
  ];
  return different.length === 1 ? different[0]! : { anyOf: different };
}

/** Each document has components of its own, some of them with the same names. */
function withPrefix(schema: Schema, prefix: string): Schema {
  return JSON.parse(
    JSON.stringify(schema),
    (key, value) =>
      key === "$ref" && typeof value === "string"
        ? value.replace(/([^/]+)$/, `${prefix}$1`)
        : value,
  );
}

async function main(args: string[]): Promise<number> {
  if (args.some((arg) => arg !== "--check")) {
    console.log(HELP);
    return args.includes("--help") ? 0 : 2;
  }
  const text = await routeTypes(await readDocuments());
  if (text === await Deno.readTextFile(FILE).catch(() => "")) return 0;
  if (args.includes("--check")) {
    console.error(
      "client/generated/routes.ts is out of date. Write it with: deno task client-types",
    );
    return 1;
  }
  await Deno.writeTextFile(FILE, text);
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));

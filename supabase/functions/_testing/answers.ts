/**
 * Checks the responses of functions against their OpenAPI documents, so that neither changes without the other.
 *
 * @module
 */

import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";

/** A request and the response of a function. */
export interface FunctionAnswer {
  method: string;
  /** Function and route: `/credits/deduct`. */
  path: string;
  status: number;
  contentType: string | null;
  /** The parsed body if it is JSON. */
  body: unknown;
}

/** The parts of an OpenAPI document that are used here. */
interface OpenApiDocument {
  paths: Record<string, Record<string, { responses: Responses }>>;
  components: { responses: Record<string, DocumentedResponse> };
}

type Responses = Record<string, DocumentedResponse | { $ref: string }>;

interface DocumentedResponse {
  /** Undefined if the response has no body. */
  content?: Record<string, { schema: Record<string, unknown> }>;
}

/** Path where the platform serves functions. A function that is called directly has no prefix. */
const PREFIX = /^\/functions\/v1(?=\/)/;

const FUNCTIONS = new URL("../", import.meta.url);

/** Faults that one message lists: a single difference can cause many. */
const MOST_FAULTS = 3;

/** Not strict, because OpenAPI documents have keywords that JSON Schema does not know. */
const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);

const documents = new Map<string, OpenApiDocument>();
const validators = new WeakMap<object, ValidateFunction>();
let mismatches: string[] = [];

/**
 * `fetch` that also checks each response of a function. A response that differs from its document does not affect the
 * caller. It makes the test fail: see {@link takeMismatches}.
 *
 * @param input As `fetch` takes it.
 * @param init As `fetch` takes it.
 */
export async function fetchChecked(
  input: RequestInfo | URL,
  init?: RequestInit,
): Promise<Response> {
  const response = await fetch(input, init);
  const isRequest = input instanceof Request;
  const { pathname } = new URL(isRequest ? input.url : input);
  // A slash at the end of a path changes nothing.
  const path = pathname.replace(PREFIX, "").replace(/(.)\/$/, "$1");
  if (!PREFIX.test(pathname) && !isFunction(nameIn(path))) return response;

  const contentType = response.headers.get("content-type");
  let body: unknown;
  if (mediaType(contentType).endsWith("json")) {
    const text = await response.clone().text().catch(() => undefined);
    // The caller gets the same error when it reads the body.
    if (text === undefined) return response;
    body = parse(text);
  }
  const method = (init?.method ?? (isRequest ? input.method : "GET")).toUpperCase();
  const mismatch = findMismatch({ method, path, status: response.status, contentType, body });
  if (mismatch) mismatches.push(mismatch);
  return response;
}

/** Returns how the responses since the last call differ from their documents. */
export function takeMismatches(): string[] {
  const taken = mismatches;
  mismatches = [];
  return taken;
}

/**
 * Compares a response with the function's document: route, status, content type and body.
 *
 * @param answer The request and its response.
 * @returns How they differ; undefined if they agree.
 */
export function findMismatch(answer: FunctionAnswer): string | undefined {
  const { method, path, status, contentType, body } = answer;
  const name = nameIn(path);
  const what = `${name}: ${method} ${path} answered ${status}, but`;
  if (!isFunction(name)) return `${what} there is no such function`;
  // A preflight belongs to no route, and the document does not describe itself.
  if (method === "OPTIONS" || path === `/${name}/openapi.json`) return undefined;
  // Not the function's own: the runtime sends it when a worker ends during a request.
  if (status === 502) return undefined;

  const document = documentOf(name);
  const responses = responsesTo(document, method, path);
  const found = responses[status] ?? responses[`${Math.floor(status / 100)}XX`] ??
    responses.default;
  if (!found) return `${what} its openapi.json lists only ${Object.keys(responses).join(", ")}`;
  const { content } = "$ref" in found ? resolve(document, found.$ref) : found;
  const type = mediaType(contentType);
  if (!content && !contentType) return undefined;
  const media = content?.[type];
  if (!media) {
    return `${what} as "${type}"; its openapi.json lists ${Object.keys(content ?? {}).join(", ")}`;
  }
  if (!type.endsWith("json")) return undefined;
  const validate = validatorOf(media.schema, document);
  if (validate(body)) return undefined;
  const faults = (validate.errors ?? []).map(({ instancePath, message, params }) =>
    `${instancePath || "the body"} ${message} ${JSON.stringify(params)}`
  );
  return `${what} not as its openapi.json says: ${faults.slice(0, MOST_FAULTS).join("; ")}\n` +
    JSON.stringify(body);
}

function nameIn(path: string): string {
  return path.split("/")[1] ?? "";
}

function isFunction(name: string): boolean {
  if (!/^[a-z]\w*$/.test(name)) return false;
  try {
    return documentOf(name) !== undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function documentOf(name: string): OpenApiDocument {
  let document = documents.get(name);
  if (!document) {
    document = JSON.parse(Deno.readTextFileSync(new URL(`${name}/openapi.json`, FUNCTIONS)));
    documents.set(name, document as OpenApiDocument);
  }
  return document as OpenApiDocument;
}

/** The responses of the route that a path matches. `/chats/keys` is its own route, not a chat's. */
function responsesTo(document: OpenApiDocument, method: string, path: string): Responses {
  const templates = Object.keys(document.paths).filter((template) => matches(template, path))
    .sort((a, b) => a.split("{").length - b.split("{").length);
  for (const template of templates) {
    const operation = document.paths[template]?.[method.toLowerCase()];
    if (operation) return operation.responses;
  }
  // Documents only describe routes. docs/errors.md describes the responses of paths without a route.
  return templates.length > 0 ? METHOD_NOT_ALLOWED : ROUTE_NOT_FOUND;
}

function matches(template: string, path: string): boolean {
  const pattern = template.replace(/[.]/g, "\\.").replace(/\{\w+\}/g, "[^/]+");
  return new RegExp(`^${pattern}$`).test(path);
}

const ROUTE_NOT_FOUND: Responses = { 404: problem("route_not_found") };
const METHOD_NOT_ALLOWED: Responses = { 405: problem("method_not_allowed") };

function problem(code: string): DocumentedResponse {
  const schema = {
    $ref: "#/components/schemas/ProblemDocument",
    properties: { code: { const: code } },
  };
  return { content: { "application/problem+json": { schema } } };
}

function resolve(document: OpenApiDocument, ref: string): DocumentedResponse {
  const response = document.components.responses[ref.replace("#/components/responses/", "")];
  if (!response) throw new TypeError(`The document has no ${ref}`);
  return response;
}

function validatorOf(schema: object, { components }: OpenApiDocument): ValidateFunction {
  let validate = validators.get(schema);
  if (!validate) {
    // Includes the components, which the schema refers to.
    validate = ajv.compile({ ...schema, components });
    validators.set(schema, validate);
  }
  return validate;
}

function mediaType(contentType: string | null): string {
  return contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
}

/** Returns undefined for a body that is not JSON, which no schema accepts. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

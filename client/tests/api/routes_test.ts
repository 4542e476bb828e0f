import assert from "node:assert/strict";

import { readDocuments } from "../../build/route_types.ts";
import type { RouteName, RouteTable } from "../../api/call.ts";
import { factsOf, SERVICE_ROUTES, USER_ROUTES } from "../../api/routes.ts";

/** Routes that only other servers call: they sign what they send. */
const OF_SENDERS = [
  "POST /webhooks/auth",
  "POST /webhooks/database",
  "POST /webhooks/standard/{source}",
  "POST /webhooks/stripe",
];

/** Routes that answer with a stream of events only, which is for `useChat` and for `EventSource`. */
const STREAMS = ["GET /answers/{id}/stream"];

function routesIn(table: RouteTable): RouteName[] {
  return Object.values(table).flatMap((entry) =>
    typeof entry === "string" ? [entry] : routesIn(entry)
  );
}

const documents = await readDocuments();
const documented = [...documents.values()].flatMap(({ paths }) =>
  Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      route: `${method.toUpperCase()} ${path}` as RouteName,
      operation,
      callers: (operation.security ?? []).flatMap((mode) => Object.keys(mode)),
    }))
  )
);

Deno.test("client: each documented route has one method for each of its callers", () => {
  const of = (caller: string) =>
    documented.filter(({ route, callers }) => callers.includes(caller) && !STREAMS.includes(route))
      .map(({ route }) => route).sort();
  assert.deepEqual(routesIn(USER_ROUTES).sort(), of("userToken"));
  assert.deepEqual(routesIn(SERVICE_ROUTES).sort(), of("secretKey"));
  const all = [
    ...routesIn(USER_ROUTES),
    ...routesIn(SERVICE_ROUTES),
    ...OF_SENDERS,
    ...STREAMS,
  ];
  assert.deepEqual(
    [...new Set(all)].sort(),
    documented.map(({ route }) => route).sort(),
  );
});

Deno.test("client: only routes that return nothing but a stream of events have no method", () => {
  for (const { route, operation } of documented) {
    const contents = Object.entries(operation.responses).filter(([status]) => status === "200")
      .flatMap(([, { content = {} }]) => Object.keys(content));
    const isStream = contents.length > 0 && contents.every((type) => type === "text/event-stream");
    assert.equal(isStream, STREAMS.includes(route), route);
  }
});

Deno.test("client: the input of each route goes where its document says", () => {
  for (const { route, operation } of documented) {
    const inQuery = operation.parameters?.filter((parameter) => parameter.in === "query")
      .map(({ name }) => name) ?? [];
    const { takes_query, query } = factsOf(route);
    if (operation.requestBody) {
      assert.equal(takes_query, false, route);
      assert.deepEqual(query, inQuery, route);
    } else if (inQuery.length > 0) {
      assert.equal(takes_query, true, route);
    }
  }
});

/** Changes that do no harm if they are sent twice without an idempotency key, as the pages of their domains say. */
const HARMLESS_TWICE = [
  "DELETE /account",
  "DELETE /chats/keys/devices/{device_id}",
  "DELETE /chats/{id}",
  "DELETE /files",
  "DELETE /teams/invitations/{id}",
  "PATCH /chats/approvals/{approval_id}",
  "PATCH /conversations/{id}/messages/{message_id}",
  "PATCH /keys/{id}",
  "PATCH /projects/{id}/messages/{message_id}",
  "POST /answers/{id}/stop",
  "POST /chats/approvals",
  "POST /conversations/{id}/messages/{message_id}/abort",
  "POST /conversations/{id}/messages/{message_id}/finish",
  "POST /files/uploads/{id}/complete",
  "POST /projects/{id}/messages/{message_id}/abort",
  "POST /projects/{id}/messages/{message_id}/finish",
  "POST /projects/{id}/restore",
  "POST /teams/invitations/{id}/accept",
  "POST /teams/invitations/{id}/decline",
  "POST /teams/{id}/leave",
  "PUT /chats/history",
  "PUT /chats/keys/passkeys/{device_id}/use",
  "PUT /conversations/{id}/messages/{message_id}",
  "PUT /projects/{id}/messages/{message_id}",
];

Deno.test("client: each route that is sent again after a lost answer accepts an idempotency key, or does no harm twice", () => {
  const repeated = documented.filter(({ route }) => !OF_SENDERS.includes(route))
    .filter(
      ({ route, operation }) =>
        factsOf(route).changes && factsOf(route).repeatable &&
        !operation.parameters?.some(({ name }) => name === "Idempotency-Key"),
    );
  assert.deepEqual(repeated.map(({ route }) => route).sort(), HARMLESS_TWICE);
});

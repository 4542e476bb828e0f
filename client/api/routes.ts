/**
 * The tables that say which method calls which route. A test compares them with the OpenAPI documents.
 *
 * @module
 */

import type { RouteName, RouteTable } from "./call.ts";

/** What a signed-in user calls. */
export const USER_ROUTES = {
  account: {
    status: "GET /account",
    delete: "DELETE /account",
    restore: "POST /account/restore",
    startExport: "POST /account/export",
    readExport: "GET /account/export",
    deleteExport: "DELETE /account/export",
  },
  /** The whole answer of a model at once. `useChat` of the AI SDK calls the same routes to show it word by word. */
  answers: {
    start: "POST /answers",
    ephemeral: "POST /answers/ephemeral",
    stop: "POST /answers/{id}/stop",
  },
  /** The routes beneath encrypted chats. `@strongroom/client/chats` encrypts, and calls them. */
  chats: {
    read: "GET /chats/{id}",
    save: "PUT /chats/{id}",
    change: "PATCH /chats/{id}",
    append: "POST /chats/{id}/segments",
    delete: "DELETE /chats/{id}",
    reserveAttachment: "POST /chats/{id}/attachments",
    keys: "GET /chats/keys",
    changeKeys: "PUT /chats/keys",
    rotateKeys: "POST /chats/keys/rotate",
    revokeDevice: "DELETE /chats/keys/devices/{device_id}",
    replacedKeys: "GET /chats/keys/replaced",
    replacedKey: "GET /chats/keys/replaced/{id}",
    usePasskey: "PUT /chats/keys/passkeys/{device_id}/use",
    setHistory: "PUT /chats/history",
    approvals: "GET /chats/approvals",
    beginApproval: "POST /chats/approvals",
    changeApproval: "PATCH /chats/approvals/{approval_id}",
  },
  conversations: {
    start: "POST /conversations",
  },
  credits: {
    balance: "GET /credits",
    quote: "POST /credits/quote",
    deduct: "POST /credits/deduct",
    transfer: "POST /credits/transfers",
    setAlert: "PUT /credits/alert",
    statement: "GET /credits/statement",
  },
  files: {
    reserve: "POST /files/uploads",
    complete: "POST /files/uploads/{id}/complete",
    sign: "POST /files/downloads",
    delete: "DELETE /files",
    usage: "GET /files/usage",
  },
  keys: {
    list: "GET /keys",
    create: "POST /keys",
    change: "PATCH /keys/{id}",
    delete: "DELETE /keys/{id}",
  },
  /** Messages of conversations. */
  messages: {
    save: "POST /conversations/{id}/messages",
    replace: "PUT /conversations/{id}/messages/{message_id}",
    writeDraft: "PATCH /conversations/{id}/messages/{message_id}",
    finishDraft: "POST /conversations/{id}/messages/{message_id}/finish",
    abortDraft: "POST /conversations/{id}/messages/{message_id}/abort",
  },
  projects: {
    clone: "POST /projects/{id}/clone",
    cloneStatus: "GET /projects/clones/{id}",
    delete: "DELETE /projects/{id}",
    restore: "POST /projects/{id}/restore",
    /** Messages of projects. */
    messages: {
      save: "POST /projects/{id}/messages",
      replace: "PUT /projects/{id}/messages/{message_id}",
      writeDraft: "PATCH /projects/{id}/messages/{message_id}",
      finishDraft: "POST /projects/{id}/messages/{message_id}/finish",
      abortDraft: "POST /projects/{id}/messages/{message_id}/abort",
    },
  },
  teams: {
    create: "POST /teams",
    delete: "DELETE /teams/{id}",
    leave: "POST /teams/{id}/leave",
    invite: "POST /teams/{id}/invitations",
    acceptInvitation: "POST /teams/invitations/{id}/accept",
    declineInvitation: "POST /teams/invitations/{id}/decline",
    revokeInvitation: "DELETE /teams/invitations/{id}",
  },
} as const satisfies RouteTable;

const { sign: _sign, ...serviceFiles } = USER_ROUTES.files;

/** What a service calls, for the user whom it names, or for the project. */
export const SERVICE_ROUTES = {
  cleanup: {
    run: "POST /cleanup",
    health: "GET /cleanup",
    runs: "GET /cleanup/runs",
  },
  conversations: USER_ROUTES.conversations,
  credits: {
    ...USER_ROUTES.credits,
    grant: "POST /credits/grants",
    voidGrant: "POST /credits/grants/{id}/void",
    hold: "POST /credits/holds",
    capture: "POST /credits/holds/{id}/capture",
    release: "POST /credits/holds/{id}/release",
    refund: "POST /credits/refunds",
    setOverdraft: "PUT /credits/overdraft",
  },
  files: serviceFiles,
  messages: USER_ROUTES.messages,
  projects: USER_ROUTES.projects,
  teams: USER_ROUTES.teams,
  webhooks: {
    replay: "POST /webhooks/replay",
  },
} as const satisfies RouteTable;

/** DELETE requests that take a body: a list of paths, or a head of the account, may be long. */
const DELETE_WITH_BODY: readonly RouteName[] = ["DELETE /chats/{id}", "DELETE /files"];

/** Members of inputs that go into the query, although the route takes a body. */
const QUERY_BESIDE_BODY: Partial<Record<RouteName, readonly string[]>> = {
  "DELETE /chats/{id}": ["expected_version"],
};

/** POST requests that change nothing. */
const READING: readonly RouteName[] = [
  "POST /credits/quote",
  "POST /files/downloads",
];

/**
 * Changes that accept no idempotency key, and that would be made twice or refused if they were sent twice. They are
 * never sent again after a lost response.
 */
const NOT_REPEATABLE: readonly RouteName[] = [
  "DELETE /account/export",
  "DELETE /keys/{id}",
  "POST /account/export",
  "POST /account/restore",
  "POST /answers/ephemeral",
  "POST /cleanup",
  "POST /keys",
  "POST /webhooks/replay",
];

/** How a route is called. */
export interface RouteFacts {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** The path below the functions' URL, with parameters in braces: `credits/holds/{id}/capture`. */
  readonly path: string;
  /** Whether the input is the query. Otherwise it is the body, except for the members in `query`. */
  readonly takes_query: boolean;
  readonly query: readonly string[];
  readonly changes: boolean;
  /** Whether it may be sent again when it is not known whether the server has handled it. */
  readonly repeatable: boolean;
}

/** Reads a route. */
export function factsOf(route: RouteName): RouteFacts {
  const [method, path] = route.split(" /") as [RouteFacts["method"], string];
  return {
    method,
    path,
    takes_query: method === "GET" ||
      method === "DELETE" && !DELETE_WITH_BODY.includes(route),
    query: QUERY_BESIDE_BODY[route] ?? [],
    changes: method !== "GET" && !READING.includes(route),
    repeatable: !NOT_REPEATABLE.includes(route),
  };
}

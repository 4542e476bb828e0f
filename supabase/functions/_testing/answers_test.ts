import assert from "node:assert/strict";

import { fetchChecked, findMismatch, type FunctionAnswer, takeMismatches } from "./answers.ts";
import { functionsUrl, invoke, signUp, test } from "./testing.ts";

const BALANCE = {
  user_id: "3b241101-e2bb-4255-8caf-4136c566a962",
  account_id: "3b241101-e2bb-4255-8caf-4136c566a963",
  balance: 10.5,
  held: 0,
  available: 10.5,
  overdraft_limit: 0,
  scoped: 0,
  updated_at: "2026-11-20T12:00:00.123456+00:00",
};

const PROBLEM = {
  type: "about:blank",
  title: "Not Found",
  status: 404,
  detail: "There is no credit account with this id",
  code: "account_not_found",
  request_id: "3b241101-e2bb-4255-8caf-4136c566a964",
};

/** A response of `GET /credits`, with changes. */
function answer(changes: Partial<FunctionAnswer> = {}): FunctionAnswer {
  return {
    method: "GET",
    path: "/credits",
    status: 200,
    contentType: "application/json",
    body: BALANCE,
    ...changes,
  };
}

/** A problem document of `GET /credits`, with changes. */
function problem(
  changes: Partial<typeof PROBLEM> & { available?: number } = {},
  more: Partial<FunctionAnswer> = {},
): FunctionAnswer {
  const body = { ...PROBLEM, ...changes };
  return answer({ status: body.status, contentType: "application/problem+json", body, ...more });
}

test("a response that its document describes passes", () => {
  const statement = { path: "/credits/statement", body: undefined };
  for (
    const good of [
      answer(),
      answer({ contentType: "application/json; charset=UTF-8" }),
      answer({ ...statement, contentType: "text/csv; charset=utf-8" }),
      problem(),
      problem({ available: 3 }),
      problem({ code: "route_not_found" }, { path: "/credits/no/such/route" }),
      problem({ status: 405, code: "method_not_allowed" }, { method: "PATCH" }),
      answer({ method: "OPTIONS", status: 204, contentType: null, body: undefined }),
      answer({ path: "/credits/openapi.json", body: {} }),
      answer({ status: 502, body: { message: "The worker ended" } }),
    ]
  ) assert.equal(findMismatch(good), undefined);
});

test("a response that its document does not describe is reported with function, route, status and fault", () => {
  const { held: _, ...incomplete } = BALANCE;
  for (
    const [bad, fault] of [
      [answer({ body: { ...BALANCE, balance: "10.5" } }), /\/balance must be number/],
      [answer({ body: { ...BALANCE, updated_at: "yesterday" } }), /\/updated_at must match format/],
      [answer({ body: incomplete }), /must have required property 'held'/],
      [answer({ body: { ...BALANCE, secret: 1 } }), /additional properties .*"secret"/],
      [answer({ body: [BALANCE] }), /the body must be object/],
      [answer({ body: undefined }), /the body must be object/],
      [answer({ status: 201 }), /answered 201, .* lists only 200, 401/],
      [answer({ status: 418 }), /answered 418, .* lists only 200, 401/],
      [answer({ contentType: "text/html" }), /as "text\/html"; .* lists application\/json/],
      [answer({ contentType: null }), /as ""; .* lists application\/json/],
      [problem({}, { contentType: "application/json" }), /lists application\/problem\+json/],
      [problem({ code: "grant_not_found" }), /\/code must be equal to one of .*account_not_found/],
      [problem({ detail: undefined as never }), /must have required property 'detail'/],
      [problem({ code: "route_not_found" }), /\/code must be equal to one of/],
      [problem({ status: 405, code: "method_not_allowed" }), /answered 405, .* lists only/],
      [answer({ path: "/credits/no/such/route" }), /answered 200, .* lists only 404/],
      [answer({ method: "PATCH" }), /answered 200, .* lists only 405/],
      [answer({ path: "/nobody" }), /there is no such function/],
    ] as const
  ) {
    const mismatch = findMismatch(bad);
    assert.match(mismatch ?? "", fault);
    assert.ok(
      mismatch?.startsWith(`${bad.path.split("/")[1]}: ${bad.method} ${bad.path} answered`),
    );
  }
});

test("a literal path is not mistaken for the parameter of another route", () => {
  const deleted = { id: BALANCE.user_id, deleted: true };
  const chat = answer({ method: "DELETE", path: `/chats/${deleted.id}`, body: deleted });
  assert.equal(findMismatch(chat), undefined);
  const keys = answer({ path: "/chats/keys", body: deleted });
  assert.match(findMismatch(keys) ?? "", /required property 'key_id'/);
});

test("every way to call a function is checked, and the caller can still read the response", async () => {
  const user = await signUp();
  const headers = { authorization: `Bearer ${user.token}` };
  const { status, body } = await invoke(user.client, "credits");
  assert.deepEqual([status, body.user_id], [200, user.id]);
  const raw = await fetchChecked(`${functionsUrl}/credits`, { headers });
  assert.equal((await raw.json()).user_id, user.id);
  assert.deepEqual(takeMismatches(), []);

  assert.equal((await invoke(user.client, "no_such_function")).status, 404);
  const request = new Request(`${functionsUrl}/no_such_function`, { method: "PUT", headers });
  assert.equal((await fetchChecked(request)).status, 404);
  assert.deepEqual(takeMismatches().map((mismatch) => mismatch.split(",")[0]), [
    "no_such_function: GET /no_such_function answered 404",
    "no_such_function: PUT /no_such_function answered 404",
  ]);
});

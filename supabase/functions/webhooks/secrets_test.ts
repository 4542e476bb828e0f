import assert from "node:assert/strict";

import { authHookSecrets, databaseSecrets, standardSecrets, stripeSecrets } from "./secrets.ts";

/** Sets a variable for the duration of a call. */
function withVariable<T>(name: string, value: string, run: () => T): T {
  const before = Deno.env.get(name);
  Deno.env.set(name, value);
  try {
    return run();
  } finally {
    if (before === undefined) Deno.env.delete(name);
    else Deno.env.set(name, before);
  }
}

Deno.test("each sender can have two secrets at once, in its own format", () => {
  for (
    const [name, value, read, expected] of [
      ["STRIPE_WEBHOOK_SECRETS", "whsec_a, whsec_b,", stripeSecrets, ["whsec_a", "whsec_b"]],
      ["DATABASE_WEBHOOK_SECRETS", "one,two", databaseSecrets, ["one", "two"]],
      ["AUTH_HOOK_SECRETS", "v1,whsec_YQ==|v1,whsec_Yg==", authHookSecrets, [
        "whsec_YQ==",
        "whsec_Yg==",
      ]],
      [
        "STANDARD_WEBHOOK_SECRETS",
        '{"acme":"whsec_YQ==|v1,whsec_Yg=="}',
        () => standardSecrets("acme"),
        [
          "whsec_YQ==",
          "whsec_Yg==",
        ],
      ],
      [
        "STANDARD_WEBHOOK_SECRETS",
        '{"acme":"whsec_YQ=="}',
        () => standardSecrets("other"),
        undefined,
      ],
    ] as const
  ) assert.deepEqual(withVariable(name, value, read), expected);
});

Deno.test("a provider without secrets is refused with 503, the name of the variable and how to set it", () => {
  for (
    const [name, value, read] of [
      ["STRIPE_WEBHOOK_SECRETS", "", stripeSecrets],
      ["STRIPE_WEBHOOK_SECRETS", " , ", stripeSecrets],
      ["DATABASE_WEBHOOK_SECRETS", ",", databaseSecrets],
      ["AUTH_HOOK_SECRETS", " | ", authHookSecrets],
      ["STANDARD_WEBHOOK_SECRETS", "{", () => standardSecrets("acme")],
      ["STANDARD_WEBHOOK_SECRETS", '{"acme":7}', () => standardSecrets("acme")],
      ["STANDARD_WEBHOOK_SECRETS", '{"acme":""}', () => standardSecrets("acme")],
      ["STANDARD_WEBHOOK_SECRETS", '{"Acme Inc":"whsec_YQ=="}', () => standardSecrets("Acme Inc")],
    ] as const
  ) {
    assert.throws(
      () => withVariable<unknown>(name, value, read),
      (error: { status: number; code: string; message: string; hint: string }) => {
        assert.deepEqual([error.status, error.code], [503, "webhook_not_configured"]);
        assert.ok(error.message.includes(name) && error.hint.includes("supabase secrets set"));
        return true;
      },
      `${name}=${value}`,
    );
  }
});

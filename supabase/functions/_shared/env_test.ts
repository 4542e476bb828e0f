import assert from "node:assert/strict";

import { test } from "../_testing/testing.ts";
import { requireEnvironment } from "./env.ts";

const NAMES = [
  "SUPABASE_URL",
  "SUPABASE_PUBLISHABLE_KEYS",
  "SUPABASE_SECRET_KEYS",
  "SUPABASE_JWKS",
];

/** Runs `requireEnvironment` with only these of its variables set. */
function requireWith(environment: Record<string, string>): void {
  // The singular forms are for servers outside the platform. The test run sets them.
  const names = [...NAMES, "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY"];
  const before = names.map((name) => [name, Deno.env.get(name)] as const);
  try {
    for (const name of names) Deno.env.delete(name);
    for (const [name, value] of Object.entries(environment)) Deno.env.set(name, value);
    requireEnvironment();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}

const WHOLE = {
  SUPABASE_URL: "https://project.supabase.co",
  SUPABASE_PUBLISHABLE_KEYS: '{"default": "sb_publishable_x"}',
  SUPABASE_SECRET_KEYS: '{"default": "sb_secret_x"}',
  SUPABASE_JWKS: '{"keys": []}',
};

test("a function starts with the environment that the platform gives it", () => {
  requireWith(WHOLE);
});

test("a function does not start without its keys, and says which one is missing", () => {
  for (const name of NAMES) {
    const { [name as keyof typeof WHOLE]: _, ...rest } = WHOLE;
    // Without SUPABASE_JWKS, the key set is fetched from the project's URL.
    if (name === "SUPABASE_JWKS") requireWith(rest);
    else assert.throws(() => requireWith(rest), new RegExp(`Cannot start: .*${name}`), name);
    if (name !== "SUPABASE_URL") {
      assert.throws(() => requireWith({ ...WHOLE, [name]: "not JSON" }), new RegExp(name), name);
    }
  }
});

/**
 * The API keys of users: secrets that a user gives to a program, which then calls chosen functions in the user's name.
 *
 * @module
 */

import { Buffer } from "node:buffer";

import type { AuthResult } from "@supabase/server";
import { extractCredentials } from "@supabase/server/core";

import { adminClient } from "./clients.ts";
import { Problem } from "./problem.ts";
import { unwrap } from "./rpc.ts";

/** What an API key may be allowed to do. The database has the same list. */
export const PERMISSIONS = [
  "credits:read",
  "credits:write",
  "messages:write",
  "answers:write",
  "projects:write",
  "files:read",
  "files:write",
] as const;

/** One of {@link PERMISSIONS}. */
export type Permission = typeof PERMISSIONS[number];

/** Every key begins with it, so that scanners for leaked secrets find keys. */
const PREFIX = "srk_";

/** Random bytes of a key. */
const SECRET_BYTES = 32;

/** How much of a key its user sees later. */
const SHOWN_CHARACTERS = PREFIX.length + 8;

/** A new key. */
export interface NewKey {
  /** The key: `srk_` and 43 characters of base64url. */
  key: string;
  /** Its SHA-256, in hexadecimal digits. */
  key_hash: string;
  /** Its first 12 characters. */
  key_prefix: string;
}

/** Creates a key from random bytes. */
export async function createKey(): Promise<NewKey> {
  const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  const key = PREFIX + Buffer.from(bytes).toString("base64url");
  return { key, key_hash: await hash(key), key_prefix: key.slice(0, SHOWN_CHARACTERS) };
}

/**
 * Verifies the API key of a request. A key is looked up for each request, so that it can be revoked at once.
 *
 * @param request The request.
 * @param permission What the route requires; undefined if it accepts no API keys.
 * @returns Whom the request is from; undefined if it has no API key in `Authorization`.
 * @throws {Problem} 401 `invalid_api_key`; 403 `permission_missing`.
 */
export async function verifyApiKey(
  request: Request,
  permission: Permission | undefined,
): Promise<AuthResult | undefined> {
  const { token } = extractCredentials(request);
  if (!token?.startsWith(PREFIX)) return;
  if (!permission) {
    throw new Problem(403, "permission_missing", "This route does not accept API keys", {
      hint: "Sign in, and send the session token",
    });
  }
  const key_hash = await hash(token);
  const { user_id, refused } = unwrap(
    await adminClient().rpc("use_api_key", { key_hash, permission }),
  );
  if (refused === "permission_missing") {
    throw new Problem(403, refused, `The API key does not have the permission "${permission}"`, {
      fields: { permission },
      hint: "Give it the permission with PATCH /keys/ID, or use another key",
    });
  }
  if (refused || !user_id) {
    throw new Problem(
      401,
      "invalid_api_key",
      "The API key does not exist, is disabled or has expired",
      {
        hint: "Create a new key with POST /keys",
        headers: { "www-authenticate": "Bearer" },
      },
    );
  }
  return {
    authMode: "user",
    token: null,
    userClaims: { id: user_id },
    jwtClaims: null,
    keyName: null,
  };
}

async function hash(key: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  return Buffer.from(digest).toString("hex");
}

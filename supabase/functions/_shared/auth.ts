/**
 * Who may call a route.
 *
 * `@supabase/server` checks the credentials: a session token of Supabase Auth in `Authorization`, or a
 * secret key in `apikey`. Routes that name a permission also accept a user's API key in `Authorization`. This module turns its errors into problem documents, and makes sure that a token
 * belongs to a signed-in user: a valid signature alone does not prove that.
 *
 * @module
 */

import type { MiddlewareHandler } from "hono";
import type { AuthConfig, AuthResult, SupabaseContext } from "@supabase/server";
import type { SupabaseClient } from "@supabase/supabase-js";

import { type Permission, verifyApiKey } from "./api_keys.ts";
import { adminClient, countFor, userClient } from "./clients.ts";
import { createVerifier, type Refusal } from "./credentials.ts";
import type { Database } from "./database.types.ts";
import { Problem } from "./problem.ts";

/** Context variables of an authenticated request. */
export interface AuthenticatedEnv {
  Variables: { supabaseContext: SupabaseContext<Database> };
}

/** Audience and role of the tokens that Supabase Auth issues to signed-in users. */
const SIGNED_IN = "authenticated";

/** The form of the ids of Supabase Auth. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Middleware that only lets a request pass if it has one of the given credentials.
 *
 * @param auth `user`, `secret`, `secret:NAME`, or a list of these.
 * @param permission What an API key needs. Its user then counts as the user; without a permission, no API key will do.
 * @throws {Problem} 401 `credentials_missing`, `invalid_api_key`, `token_expired` or `invalid_token`; 403
 *   `permission_missing`; 503 `signing_keys_missing` or `secret_key_missing`, if the project has none that a request could
 *   be verified with.
 */
export function authenticate(
  auth: AuthConfig,
  permission?: Permission,
): MiddlewareHandler<AuthenticatedEnv> {
  const verify = createVerifier(auth, SIGNED_IN);
  return async function authenticateRequest(c, next) {
    const key = await verifyApiKey(c.req.raw, permission);
    if (key) {
      c.set("supabaseContext", new Caller(key));
      return countFor(userId(c.var.supabaseContext), next);
    }
    const { data, error } = await verify(c.req.raw);
    if (error) throw toProblem(error, auth);
    const { jwtClaims } = data;
    if (
      jwtClaims &&
      (jwtClaims.role !== SIGNED_IN || jwtClaims.exp === undefined || !UUID.test(jwtClaims.sub))
    ) {
      throw unauthorized(
        "invalid_token",
        "The token does not belong to a signed-in user",
        "Sign in again",
      );
    }
    c.set("supabaseContext", new Caller(data));
    await (jwtClaims ? countFor(jwtClaims.sub, next) : next());
  };
}

/** Who sent a request, and the clients to act with. A client is created when it is used first. */
class Caller implements SupabaseContext<Database> {
  readonly authMode: AuthResult["authMode"];
  readonly userClaims: AuthResult["userClaims"];
  readonly jwtClaims: AuthResult["jwtClaims"];
  readonly #token: string | null;
  readonly #keyName: string | null | undefined;
  #supabase: SupabaseClient<Database> | undefined;

  constructor({ authMode, userClaims, jwtClaims, token, keyName }: AuthResult) {
    this.authMode = authMode;
    this.userClaims = userClaims;
    this.jwtClaims = jwtClaims;
    this.#token = token;
    this.#keyName = keyName;
  }

  /** Acts as the signed-in user. Never shared with another request. */
  get supabase(): SupabaseClient<Database> {
    return this.#supabase ??= userClient(this.#token);
  }

  /** Acts with the secret key that the request was sent with, or with the default one. */
  get supabaseAdmin(): SupabaseClient<Database> {
    return adminClient(this.authMode === "secret" ? this.#keyName : undefined);
  }
}

/** The id of the signed-in user. Only for requests that were authenticated as `user`. */
export function userId(context: SupabaseContext<Database>): string {
  const id = context.userClaims?.id;
  if (id === undefined) throw new TypeError("The request was not authenticated as a user");
  return id;
}

function toProblem(error: Refusal, auth: AuthConfig): Problem {
  // The caller did nothing wrong, and cannot do anything about it.
  if (error.code === "SIGNING_KEYS_MISSING") {
    return new Problem(503, "signing_keys_missing", "The server cannot verify session tokens", {
      hint: "The operator of the project must change to a signing key, or set LEGACY_JWT_SECRET",
      cause: error.cause,
    });
  }
  if (error.code === "NO_KEYS_CONFIGURED") {
    const names = keyNames(auth).join(", ");
    return new Problem(503, "secret_key_missing", `The project has no secret key named ${names}`, {
      hint:
        "The operator of the project must create this key, or configure the function to use another key",
      cause: error,
    });
  }
  if (error.status >= 500) {
    return new Problem(500, "internal_error", "Something went wrong on the server", {
      cause: error,
    });
  }
  switch (error.code) {
    case "INVALID_JWT":
      return isExpiry(error.cause)
        ? unauthorized(
          "token_expired",
          "The session token has expired",
          "Refresh the session and send the request again",
        )
        : unauthorized("invalid_token", "The session token is not valid", "Sign in again");
    case "INVALID_API_KEY":
      // supabase-js sends the publishable key when nobody is signed in. The credential is missing, not wrong.
      if (receivedKey(error) === "publishable") break;
      return unauthorized(
        "invalid_api_key",
        "This route does not accept the key in the apikey header",
        cure(auth),
      );
  }
  return unauthorized(
    "credentials_missing",
    "The request has no credential that this route accepts",
    cure(auth),
  );
}

/** What to do about a missing or wrong credential: name those that the route accepts. */
function cure(auth: AuthConfig): string {
  const ofUsers = [auth].flat().includes("user") ? ["Sign in, and send the session token"] : [];
  const ofServers = keyNames(auth).map((name) =>
    `From a server, send the secret key named ${name} in the apikey header`
  );
  return [...ofUsers, ...ofServers].join(". ");
}

/** The names of the secret keys that a route accepts. */
function keyNames(auth: AuthConfig): string[] {
  return [auth].flat().filter((mode) => mode !== "user")
    .map((mode) => mode.split(":")[1] ?? "default");
}

function receivedKey(error: Refusal): unknown {
  return (error.details?.received as { apikey?: unknown } | undefined)?.apikey;
}

function isExpiry(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "ERR_JWT_EXPIRED";
}

function unauthorized(code: string, detail: string, hint?: string): Problem {
  return new Problem(401, code, detail, { hint, headers: { "www-authenticate": "Bearer" } });
}

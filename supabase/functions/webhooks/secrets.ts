/**
 * The secrets that senders sign with, from the environment. They are read when a delivery arrives, so that a provider
 * that is not configured does not keep the function from starting.
 *
 * @module
 */

import { Problem } from "../_shared/problem.ts";
import { SOURCE } from "./schema.ts";

/** Prefix that the platform's dashboard writes before the secrets of Auth hooks. */
const SYMMETRIC = "v1,";

/**
 * Signing secrets of Stripe's endpoint: one, or two during a rotation.
 *
 * @throws {Problem} 503 `webhook_not_configured`, with the name of the variable.
 */
export function stripeSecrets(): string[] {
  return list("STRIPE_WEBHOOK_SECRETS", ",", "whsec_...,whsec_...");
}

/**
 * Secrets of Auth hooks, in base64.
 *
 * @throws {Problem} 503 `webhook_not_configured`, with the name of the variable.
 */
export function authHookSecrets(): string[] {
  return list("AUTH_HOOK_SECRETS", "|", "v1,whsec_...|v1,whsec_...").map(withoutVersion);
}

/**
 * Secrets that Database Webhooks send in a header.
 *
 * @throws {Problem} 503 `webhook_not_configured`, with the name of the variable.
 */
export function databaseSecrets(): string[] {
  return list("DATABASE_WEBHOOK_SECRETS", ",", "a long random text");
}

/**
 * Secrets of a sender of Standard Webhooks, in base64; undefined if none are set for it.
 *
 * @param source Name of the sender: the last segment of the path.
 * @throws {Problem} 503 `webhook_not_configured`, with the name of the variable.
 */
export function standardSecrets(source: string): string[] | undefined {
  const name = "STANDARD_WEBHOOK_SECRETS";
  const example = '{"acme":"whsec_...|whsec_..."}';
  let sources: unknown;
  try {
    sources = JSON.parse(Deno.env.get(name) || "{}");
  } catch (cause) {
    throw notConfigured(name, example, cause);
  }
  const secrets = Object.entries(Object(sources)).find(([key]) => key === source)?.[1];
  if (secrets === undefined) return undefined;
  if (!SOURCE.test(source)) throw notConfigured(name, example);
  const parts = typeof secrets === "string" ? split(secrets, "|") : [];
  if (parts.length === 0) throw notConfigured(name, example);
  return parts.map(withoutVersion);
}

function list(name: string, separator: string, example: string): string[] {
  const secrets = split(Deno.env.get(name) ?? "", separator);
  if (secrets.length === 0) throw notConfigured(name, example);
  return secrets;
}

function split(text: string, separator: string): string[] {
  return text.split(separator).map((part) => part.trim()).filter(Boolean);
}

function withoutVersion(secret: string): string {
  return secret.startsWith(SYMMETRIC) ? secret.slice(SYMMETRIC.length) : secret;
}

/** 503, so that the sender sends the delivery again: the configuration is wrong, not the request. */
export function notConfigured(name: string, example: string, cause?: unknown): Problem {
  return new Problem(
    503,
    "webhook_not_configured",
    `${name} is not set, or its value is malformed`,
    {
      hint:
        `Run: supabase secrets set ${name}='${example}'. Locally, set it in supabase/functions/.env`,
      cause,
    },
  );
}

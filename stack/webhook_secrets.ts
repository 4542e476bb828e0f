/**
 * The secrets of webhooks in a local stack, so that signed events can be sent to it without setup. They are the same on
 * every machine, and not secret at all. `supabase/functions/.env` replaces them.
 *
 * @module
 */

/** By the variable that the function reads. Each has two secrets, as during a rotation. */
export const LOCAL_WEBHOOK_SECRETS: Record<string, string> = {
  STRIPE_WEBHOOK_SECRETS: "whsec_local_development_only,whsec_local_development_next",
  AUTH_HOOK_SECRETS: `v1,whsec_${btoa("local development, auth")}|v1,whsec_${
    btoa("local development, auth, next")
  }`,
  DATABASE_WEBHOOK_SECRETS: "local-development-only,local-development-next",
  STANDARD_WEBHOOK_SECRETS: JSON.stringify({
    local: `whsec_${btoa("local development, standard")}|whsec_${
      btoa("local development, standard, next")
    }`,
  }),
};

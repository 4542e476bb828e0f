/**
 * The users of a product, whom all products have alike.
 *
 * @module
 */

import type { Step } from "./product.ts";

// Auth cannot read a user of whom one of these is null. The tokens themselves were sent by the old project.
const EMPTY_TOKENS = [
  "confirmation_token",
  "recovery_token",
  "email_change",
  "email_change_token_new",
  "email_change_token_current",
  "phone_change",
  "phone_change_token",
  "reauthentication_token",
];

/** Users with their ids and encrypted passwords, and the providers with which they sign in. */
export const USERS: Step[] = [
  {
    table: "auth.users",
    only: [
      "id",
      "email",
      "encrypted_password",
      "email_confirmed_at",
      "invited_at",
      "phone",
      "phone_confirmed_at",
      "raw_app_meta_data",
      "raw_user_meta_data",
      "banned_until",
      "deleted_at",
      "is_sso_user",
      "is_anonymous",
      "last_sign_in_at",
      "created_at",
      "updated_at",
    ],
    fixed: {
      instance_id: "'00000000-0000-0000-0000-000000000000'",
      // Auth puts the role into tokens: no user may bring one along.
      aud: "'authenticated'",
      role: "'authenticated'",
      ...Object.fromEntries(EMPTY_TOKENS.map((column) => [column, "''"])),
    },
  },
  {
    table: "auth.identities",
    only: [
      "id",
      "provider",
      "provider_id",
      "user_id",
      "identity_data",
      "last_sign_in_at",
      "created_at",
      "updated_at",
    ],
  },
];

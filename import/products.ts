/**
 * The four products: their tables, in the order in which they are copied, and what is converted.
 *
 * @module
 */

import type { Conversion, Product } from "./product.ts";
import { USERS } from "./users.ts";

// Here a deleted project has a time of deletion, and one with such a time is deleted.
const PROJECT: Conversion[] = [
  {
    column: "status",
    from: ["status", "deleted_at"],
    as:
      "case when s.deleted_at is not null then 'deleted' else s.status end::public.project_status_enum",
  },
  {
    column: "deleted_at",
    from: ["status", "deleted_at", "updated_at"],
    as: "case when s.deleted_at is not null or s.status = 'deleted' " +
      "then coalesce(s.deleted_at, s.updated_at)::timestamptz end",
  },
];

// Here a goal is completed if it has reached 100 % or has a time of completion.
const COMPLETED =
  "(s.status = 'completed' or coalesce(s.status, 'active') in ('active', 'paused') " +
  "and (s.progress_percentage::integer = 100 or s.completed_at is not null))";

const GOAL: Conversion[] = [
  {
    column: "status",
    from: ["status", "progress_percentage", "completed_at"],
    as: `case when ${COMPLETED} then 'completed' else coalesce(s.status, 'active') end`,
  },
  {
    column: "progress_percentage",
    from: ["status", "progress_percentage", "completed_at"],
    as: `case when ${COMPLETED} then 100 else coalesce(s.progress_percentage::integer, 0) end`,
  },
  {
    column: "completed_at",
    from: ["status", "progress_percentage", "completed_at", "updated_at"],
    as: `case when ${COMPLETED} then coalesce(s.completed_at, s.updated_at)::timestamptz end`,
  },
];

/** A column under the name that a drawing abbreviates. */
function renamed(column: string, from: string, type = "text"): Conversion {
  return { column, from: [from], as: `s."${from}"::${type}` };
}

const CHUK: Product = {
  name: "chuk",
  title: "Chuk Chat",
  balance: { table: "user_credits", column: "balance" },
  steps: [
    ...USERS,
    { table: "profiles" },
    { table: "user_preferences" },
    { table: "theme_settings" },
    { table: "customization_preferences", targetKey: ["user_id"] },
    { table: "projects", convert: PROJECT },
    {
      table: "encrypted_chats",
      targetKey: ["user_id", "id"],
      without: [
        "version",
        "data_version",
        "next_segment",
        "segment_bytes",
        "bytes",
        "sync_sequence",
        "key_id",
        "title_key_id",
      ],
    },
    { table: "project_chats", without: ["user_id"] },
    { table: "project_files", without: ["user_id"] },
    { table: "user_credits", kind: "credits" },
    {
      table: "credit_transactions",
      kind: "archive",
      reason: "the ledger begins with the opening balance",
    },
  ],
};

const WBOT: Product = {
  name: "wbot",
  title: "Wbot",
  steps: [
    ...USERS,
    { table: "profiles" },
    { table: "conversations" },
    {
      table: "messages",
      only: ["id", "conversation_id", "role", "content", "metadata", "created_at"],
      convert: [{ column: "content", from: ["content"], as: "to_jsonb(s.content)" }],
    },
  ],
};

const CODINGIT: Product = {
  name: "codingit",
  title: "CodingIT-1",
  steps: [
    ...USERS,
    { table: "teams" },
    { table: "team_members" },
    { table: "users_teams" },
    { table: "team_usage_limits" },
    { table: "billing_info" },
    { table: "subscription_events" },
    { table: "user_profiles" },
    { table: "user_preferences" },
    { table: "user_security_settings" },
    { table: "user_integrations" },
    { table: "user_chat_analytics" },
    { table: "api_keys" },
    { table: "projects", convert: PROJECT },
    {
      table: "messages",
      only: [
        "id",
        "project_id",
        "role",
        "content",
        "object_data",
        "result_data",
        "sequence_number",
        "created_at",
      ],
    },
    { table: "fragments" },
    { table: "fragment_executions" },
    {
      table: "file_uploads",
      without: ["status", "upload_path", "expires_at", "verified_at", "refusal"],
    },
    { table: "chat_sessions" },
    { table: "chat_message_cache", without: ["user_id"] },
    { table: "conversation_threads" },
    { table: "workflows" },
    { table: "tasks" },
    { table: "workspace_files" },
    { table: "code_embeddings" },
  ],
};

const SORAR: Product = {
  name: "sorar",
  title: "Sorar AI",
  steps: [
    ...USERS,
    {
      table: "user_profiles",
      convert: [
        renamed("anxiety_frequency", "anxiety_freq"),
        renamed("confidence_level", "confidence"),
        renamed("communication_style", "comm_style"),
      ],
    },
    {
      table: "user_settings",
      // A trigger keeps both equal.
      convert: [
        {
          column: "notifications_enabled",
          from: ["notifications", "notifications_enabled"],
          as: "coalesce(s.notifications, s.notifications_enabled, 'true')::boolean",
        },
        {
          column: "notifications",
          from: ["notifications"],
          as: "coalesce(s.notifications, 'true')::boolean",
        },
      ],
    },
    { table: "user_progress" },
    { table: "user_goals", convert: GOAL },
    { table: "journal_entries" },
    { table: "chat_sessions" },
    { table: "chat_messages", without: ["user_id"] },
    { table: "waitlist" },
    { table: "site_visits" },
  ],
};

/** All products, by name. */
export const PRODUCTS: Record<string, Product> = Object.fromEntries(
  [CHUK, WBOT, CODINGIT, SORAR].map((product) => [product.name, product]),
);

/**
 * The queries that the benchmark `scale` measures: those that the products' documents, the clients and the views use.
 *
 * @module
 */

/** Who sends a query: a signed-in user, a visitor, or the service for a route. */
export type Caller = "authenticated" | "anon" | "service_role";

/** A query, or the SQL function behind a route, with placeholders for the caller's own rows. */
export interface ScaleQuery {
  /** As a client writes it: a path of the Data API, or a route. */
  name: string;
  as: Caller;
  sql: string;
  /** What is done first in the same transaction, as the service, and not counted. */
  before?: string;
}

/** Tables that a signed-in user lists by a column, and whether newest first. */
const LISTED: [table: string, orders: string[]][] = [
  ["messages", ["created_at desc"]],
  ["projects", ["created_at desc", "updated_at desc"]],
  ["project_files", ["created_at desc"]],
  ["project_chats", ["added_at desc"]],
  ["project_stats", ["updated_at desc"]],
  ["conversations", ["updated_at desc"]],
  ["file_uploads", ["created_at desc"]],
  ["encrypted_chats", ["updated_at desc", "created_at desc"]],
  ["chat_sessions", ["last_activity desc", "created_at desc"]],
  ["chat_sessions_with_counts", ["last_activity desc", "created_at desc"]],
  ["chat_messages", ["created_at desc"]],
  ["chat_message_cache", ["created_at desc"]],
  ["tasks", ["created_at desc", "updated_at desc"]],
  ["fragments", ["created_at desc"]],
  ["fragment_executions", ["started_at desc"]],
  ["workspace_files", ["created_at desc", "path"]],
  ["conversation_threads", ["updated_at desc"]],
  ["journal_entries", ["created_at desc"]],
  ["user_goals", ["created_at desc"]],
  ["user_progress", ["metric_type"]],
  ["user_statistics", ["user_id"]],
  ["team_members", ["created_at"]],
  ["credit_accounts", ["created_at"]],
  ["credit_transactions", ["entry_no desc", "created_at desc"]],
  ["credit_grants", ["created_at desc"]],
  ["credit_holds", ["created_at desc"]],
  ["user_credits", ["user_id"]],
];

const listed: ScaleQuery[] = LISTED.flatMap(([table, orders]) => [
  ...orders.map((order): ScaleQuery => ({
    name: `${table}?order=${order.replace(" ", ".")}&limit=20`,
    as: "authenticated",
    sql: `select * from ${table} order by ${order} limit 20`,
  })),
  { name: `${table}?select=count`, as: "authenticated", sql: `select count(*) from ${table}` },
]);

const query = (name: string, sql: string, as: Caller = "authenticated"): ScaleQuery => ({
  name,
  as,
  sql,
});

const filtered: ScaleQuery[] = [
  query(
    "messages?conversation_id=eq.&order=created_at",
    "select * from messages where conversation_id = $conversation order by created_at limit 50",
  ),
  query(
    "messages?project_id=eq.&order=sequence_number",
    "select * from messages where project_id = $project order by sequence_number limit 50",
  ),
  query(
    "messages of a public project",
    "select * from messages where project_id = $public order by sequence_number limit 50",
  ),
  query(
    "messages of a team's project",
    "select * from messages where project_id = $teamproject order by sequence_number limit 50",
  ),
  query(
    "messages?user_id=eq.&order=created_at.desc",
    "select * from messages where user_id = $user order by created_at desc limit 20",
  ),
  query("messages?id=eq.", "select * from messages where id = $message"),
  query(
    "projects?user_id=eq.&order=updated_at.desc",
    "select * from projects where user_id = $user order by updated_at desc limit 20",
  ),
  query(
    "projects?team_id=eq.&order=updated_at.desc",
    "select * from projects where team_id = $team order by updated_at desc limit 20",
  ),
  query(
    "projects?is_public=eq.true&order=created_at.desc",
    "select id, title from projects where is_public and deleted_at is null order by created_at desc limit 20",
  ),
  query(
    "projects?is_public=eq.true&order=created_at.desc",
    "select id, title from projects where is_public order by created_at desc limit 20",
    "anon",
  ),
  query("project_stats?id=eq.", "select * from project_stats where id = $project"),
  query(
    "project_files?project_id=eq.",
    "select * from project_files where project_id = $project limit 50",
  ),
  query(
    "file_uploads?project_id=eq.",
    "select * from file_uploads where project_id = $project limit 50",
  ),
  query(
    "file_uploads?user_id=eq.&order=created_at.desc",
    "select * from file_uploads where user_id = $user order by created_at desc limit 20",
  ),
  query(
    "fragments?is_public=eq.true&order=created_at.desc",
    "select id, title from fragments where is_public order by created_at desc limit 20",
  ),
  query(
    "fragments?order=created_at.desc",
    "select id, title from fragments order by created_at desc limit 20",
    "anon",
  ),
  query(
    "fragments?template=eq.&user_id=eq.",
    "select * from fragments where template = 'python' and user_id = $user order by created_at desc limit 20",
  ),
  query(
    "chat_sessions?status=eq.active&order=last_activity.desc",
    "select * from chat_sessions where status = 'active' order by last_activity desc limit 20",
  ),
  query(
    "chat_messages?session_id=eq.&order=created_at",
    "select * from chat_messages where session_id = $session order by created_at limit 50",
  ),
  query(
    "chat_message_cache?session_id=eq.&order=created_at",
    "select * from chat_message_cache where session_id = $session order by created_at limit 50",
  ),
  query(
    "tasks?status=eq.pending&order=created_at.desc",
    "select * from tasks where status = 'pending' order by created_at desc limit 20",
  ),
  query(
    "workspace_files?parent_path=eq.",
    "select * from workspace_files where parent_path = '/a' order by path limit 50",
  ),
  query(
    "user_goals?status=eq.active",
    "select * from user_goals where status = 'active' order by created_at desc limit 20",
  ),
  query(
    "teams, team_members, workflows",
    "select * from teams t join team_members m on m.team_id = t.id limit 50",
  ),
  query(
    "site_visits?order=timestamp.desc",
    `select * from site_visits order by "timestamp" desc limit 100`,
    "service_role",
  ),
  query(
    "site_visits of a day",
    `select count(*) from site_visits where "timestamp" >= now() - interval '1 minute'`,
    "service_role",
  ),
  query(
    "waitlist?order=created_at.desc",
    "select * from waitlist order by created_at desc limit 100",
    "service_role",
  ),
  query(
    "storage: list of one's own folder",
    `select name from storage.objects where bucket_id = 'project-files'
      and name collate "C" >= $user || '/' and name collate "C" < $user || '0' order by name collate "C" limit 100`,
  ),
  query(
    "storage: a public project's object",
    "select 1 from storage.objects where bucket_id = 'project-files' and name = $publicobject",
  ),
];

/** All queries, in the order of the table. */
export const QUERIES: ScaleQuery[] = [...listed, ...filtered];

/**
 * The routes that the benchmark `scale` measures, each as the SQL function or the query behind it.
 *
 * @module
 */

import type { Caller, ScaleQuery } from "./scale_queries.ts";

/** Remembers an id that a statement returns, for `$id` of the route. */
const keep = (expression: string) => `select set_config('bench.id', (${expression})::text, true)`;

const MESSAGE = `'{"role": "user", "content": "x"}'`;
const HOLD = keep("(hold_credits($user, 1)).id");
const CLONE = keep("(clone_project($user, $project)).id");
const UPLOAD = keep("(reserve_upload($user, 'project-files', 'a', 10, 'text/plain')).id");
const INVITATION = keep("(invite_to_team($owner, $team, 'member', $stranger)).id");
const DRAFT = keep(
  `((save_messages($user, '[{"role": "assistant", "content": "x", "status": "streaming"}]',
    project_id => $project)).messages -> 0 ->> 'id')`,
);
const SAVED = keep(
  `((save_messages($user, '[${
    MESSAGE.slice(1, -1)
  }]', project_id => $project)).messages -> 0 ->> 'id')`,
);
const GRANT = keep("(grant_credits($user, 1)).id");
const KEY = keep(
  `create_api_key($user, 'k', repeat('ab', 32), 'srk_00000000', '["credits:read"]') ->> 'id'`,
);

const UUID = "'00000000-0000-4000-8000-000000000001'";
const bytes = (length: number) => btoa("x".repeat(length));
const WRAP = JSON.stringify({
  v: "2",
  nonce: bytes(12),
  ciphertext: bytes(32),
  mac: bytes(16),
});
const wraps = (list: Record<string, unknown>[]) =>
  `'${JSON.stringify(list.map((wrap) => ({ ...wrap, wrap: WRAP })))}'`;
const PASSWORD = { kind: "password", salt: bytes(16), iterations: 600_000 };
const WRAPS = wraps([PASSWORD, { kind: "recovery" }]);
const ROTATION = wraps([PASSWORD, { kind: "recovery" }, { kind: "epoch" }]);
const KEYS = `select set_chat_keys($user, 0, ${UUID}, ${WRAPS})`;
const DEVICE = wraps([PASSWORD, { kind: "recovery" }, {
  kind: "device",
  device_id: UUID.slice(1, -1),
}]);
const DEVICE_KEYS = `select set_chat_keys($user, 0, ${UUID}, ${DEVICE})`;
const SEGMENT = `'${
  JSON.stringify({
    v: "2",
    key_id: UUID.slice(1, -1),
    nonce: bytes(12),
    ciphertext: bytes(100),
    mac: bytes(16),
  })
}'`;
const STORED = `${UPLOAD};
  reset role;
  insert into storage.objects (bucket_id, name, version, metadata)
    select bucket_name, upload_path, '1', '{"size": 10, "mimetype": "text/plain"}' from file_uploads where id = $id;
  set local role service_role`;
const SESSION = `reset role;
  insert into auth.sessions (id, user_id, created_at, updated_at) values (${UUID}, $user, now(), now());
  set local role service_role`;
const DELETION = `${SESSION}; select request_account_deletion($user, ${UUID})`;
const EXPORT = "select start_account_export($user)";
const DELIVERY =
  `'{"type": "UPDATE", "schema": "public", "table": "profiles", "record": {"id": "' || $user || '"}}'`;

type Route = [name: string, sql: string, before?: string];

const SERVICE: Route[] = [
  ["GET /credits", "select * from user_credits where user_id = $user"],
  [
    "POST /credits/quote",
    `select * from quote_credits('[{"sku": "tokens", "quantity": 1}]', $user)`,
  ],
  ["POST /credits/deduct", "select * from deduct_credits($user, amount => 1)"],
  ["POST /credits/grants", "select * from grant_credits($user, 1)"],
  ["POST /credits/grants/ID/void", "select * from void_credit_grant($id, 'b', 'r')", GRANT],
  ["POST /credits/holds", "select * from hold_credits($user, 1)"],
  ["POST /credits/holds/ID/capture", "select * from capture_credit_hold($id)", HOLD],
  ["POST /credits/holds/ID/release", "select * from release_credit_hold($id)", HOLD],
  ["POST /credits/refunds", "select * from refund_credits($account, 2, 0.5)"],
  [
    "POST /credits/transfers",
    "select * from transfer_credits(1, from_user_id => $user, to_team_id => $team)",
  ],
  ["PUT /credits/overdraft", "select * from set_credit_overdraft(1, $user)"],
  ["PUT /credits/alert", "select * from set_credit_alert(1, $user)"],
  [
    "GET /credits/statement",
    "select * from credit_statement(date_trunc('month', now())::date, $user)",
  ],
  [
    "POST /projects/ID/messages",
    `select * from save_messages($user, '[{"role": "user", "content": "x"}]', project_id => $project)`,
  ],
  [
    "PATCH /projects/ID/messages/ID",
    `select * from update_draft($user, $text, '"xy"', project_id => $project)`,
    DRAFT,
  ],
  [
    "PUT /projects/ID/messages/ID",
    `select * from replace_message($user, $text, ${MESSAGE}, project_id => $project)`,
    SAVED,
  ],
  [
    "POST /projects/ID/messages/ID/finish",
    "select * from finish_draft($user, $text, project_id => $project)",
    DRAFT,
  ],
  [
    "POST /projects/ID/messages/ID/abort",
    "select * from finish_draft($user, $text, 'aborted', project_id => $project)",
    DRAFT,
  ],
  [
    "POST /conversations/ID/messages",
    `select * from save_messages($user, '[{"role": "user", "content": "x"}]', conversation_id => ($conversation)::text)`,
  ],
  ["POST /conversations", `select * from start_conversation($user, ${MESSAGE})`],
  ["POST /projects/ID/clone", "select * from clone_project($user, $project)"],
  ["GET /projects/clones/ID", "select * from get_project_clone($user, $id)", CLONE],
  ["DELETE /projects/ID", "select * from delete_project($user, $project)"],
  ["DELETE /projects/ID, permanent", "select * from delete_project($user, $project, true)"],
  [
    "POST /projects/ID/restore",
    "select * from restore_project($user, $project)",
    "select delete_project($user, $project)",
  ],
  ["POST /teams", "select * from create_team($user, 'Team')"],
  [
    "POST /teams/ID/invitations",
    "select * from invite_to_team($owner, $team, 'member', $stranger)",
  ],
  [
    "POST /teams/invitations/ID/accept",
    "select * from accept_team_invitation($stranger, $id)",
    INVITATION,
  ],
  [
    "POST /teams/invitations/ID/decline",
    "select * from decline_team_invitation($stranger, $id)",
    INVITATION,
  ],
  [
    "DELETE /teams/invitations/ID",
    "select * from revoke_team_invitation($owner, $id)",
    INVITATION,
  ],
  ["POST /teams/ID/leave", "select * from leave_team($user, $team)"],
  ["DELETE /teams/ID", "select * from delete_team($owner, $team, true)"],
  [
    "POST /files/uploads",
    "select * from reserve_upload($user, 'project-files', 'a', 10, 'text/plain')",
  ],
  [
    "POST /files/uploads/ID/complete: looking it up",
    "select * from get_upload($user, $id)",
    UPLOAD,
  ],
  [
    "POST /files/uploads/ID/complete: before the file is put in its place",
    "select * from verify_upload($user, $id)",
    STORED,
  ],
  [
    "POST /files/uploads/ID/complete: completing it",
    "select * from complete_upload($user, $id)",
    STORED,
  ],
  [
    "POST /files/downloads: the names",
    "select * from get_file_names('project-files', array[$object])",
  ],
  ["DELETE /files", "select * from delete_files($user, 'project-files', array[$object])"],
  ["GET /files/usage", "select * from get_storage_usage($user)"],
  ["PUT /chats/ID", "select * from save_chat($user, $chat, 1, is_starred => true)"],
  [
    "POST /chats/ID/segments",
    `select * from append_chat_segment($user, $chat, 1, 0, ${SEGMENT})`,
    KEYS,
  ],
  [
    "POST /chats/ID/attachments",
    `select * from reserve_upload($user, 'chat-images', 'attachment', 100, 'application/octet-stream', chat_id => $chat)`,
  ],
  ["DELETE /chats/ID", "select * from delete_chat($user, $chat)"],
  ["PUT /chats/keys", `select * from set_chat_keys($user, 0, ${UUID}, ${WRAPS})`],
  [
    "POST /chats/keys/rotate",
    `select * from rotate_chat_keys($user, 1, gen_random_uuid(), ${ROTATION})`,
    KEYS,
  ],
  [
    "DELETE /chats/keys/devices/ID",
    `select * from revoke_chat_device($user, ${UUID})`,
    DEVICE_KEYS,
  ],
  ["POST /account/export", "select * from start_account_export($user)"],
  ["GET /account/export", "select * from get_account_export($user)", EXPORT],
  ["GET /account/export: its parts", "select * from account_export_parts($user)", EXPORT],
  ["DELETE /account/export", "select * from remove_account_export($user)", EXPORT],
  ["GET /account", "select * from get_account_deletion($user)"],
  ["DELETE /account", `select * from request_account_deletion($user, ${UUID})`, SESSION],
  ["POST /account/restore", "select * from cancel_account_deletion($user)", DELETION],
  [
    "POST /keys",
    `select * from create_api_key($user, 'k', repeat('ab', 32), 'srk_00000000', '["credits:read"]')`,
  ],
  [
    "any route with an API key",
    "select * from use_api_key(repeat('ab', 32), 'credits:read')",
    KEY,
  ],
  [
    "POST /webhooks/stripe",
    `select * from receive_webhook_event('stripe', 'evt_new', 'charge.updated', '{"id": "evt_new"}')`,
  ],
  [
    "POST /webhooks/database",
    `select * from receive_database_webhook((${DELIVERY})::jsonb)`,
  ],
  [
    "POST /webhooks/standard",
    `select * from receive_webhook_event('standard:example', 'msg_new', 'a.b', '{"type": "a.b"}')`,
  ],
  [
    "POST /webhooks/auth",
    `select * from receive_webhook_event('auth', 'new', 'user.created', '{"type": "user.created"}')`,
  ],
  [
    "POST /webhooks/replay",
    "select * from replay_webhook_events(event_id => 'event1', provider => 'stripe')",
  ],
  ["GET /cleanup", "select * from cleanup_health()"],
  ["GET /cleanup/runs", "select * from cleanup_runs()"],
];

const USER: Route[] = [
  ["rpc search_messages", "select * from search_messages('word7 number7')"],
  ["rpc search_messages, a common word", "select * from search_messages('alpha')"],
  ["rpc sync_chats", "select * from sync_chats()"],
  ["GET /chats/keys", "select * from get_chat_keys()"],
  ["GET /chats/ID", "select * from get_chat($chat)"],
  ["GET /keys", "select id, name, key_prefix from api_keys order by created_at desc"],
  ["PATCH /keys/ID", "update api_keys set name = 'n' where id = $id", KEY],
  ["DELETE /keys/ID", "delete from api_keys where id = $id", KEY],
];

const routes = (as: Caller, list: Route[]): ScaleQuery[] =>
  list.map(([name, sql, before]) => ({ name, as, sql, ...(before !== undefined && { before }) }));

/** All routes, in the order of the table. */
export const ROUTES: ScaleQuery[] = [
  ...routes("service_role", SERVICE),
  ...routes("authenticated", USER),
];

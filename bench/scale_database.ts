/**
 * The database of the benchmark `scale`: users who have a little of everything, and one who has a lot. At SCALE=1 that
 * is 100,000 users with 1.1 million messages and 350,000 objects; the heavy one has 100,000 messages and 50,000 files.
 *
 * @module
 */

import type { Sql } from "postgres";

/** How many of what there are, at a scale. */
export function sizes(scale: number) {
  return {
    users: Math.max(40, Math.round(100_000 * scale)),
    heavy: {
      messages: Math.round(100_000 * scale),
      conversations: Math.max(2, Math.round(2_000 * scale)),
      files: Math.round(50_000 * scale),
      rows: Math.round(20_000 * scale),
    },
  };
}

/** The n-th row of a kind has this id. */
const id = (kind: string, n = "n") => `md5('${kind}' || ${n})::uuid`;
/** A time in the past: the higher the number, the longer ago. */
const ago = (n = "n") => `now() - (${n}) * interval '1 second'`;
const WORDS =
  `array_to_string((array['alpha','bravo','delta','echo','golf','hotel','india','kilo','lima','mike'])[1 + n % 9:10] ||
    array['word' || n % 5000, 'number' || n % 700], ' ')`;

/** The number of the user whose rows are measured: one of the first, so that an almost empty database has it too. */
export const LIGHT = 2;
/** The number of the user who has a lot. In another team than the light one. */
export const HEAVY = 22;
/** The id of that user in SQL. */
export const HEAVY_ID = `md5('user${HEAVY}')::uuid`;

/** Statements that run without triggers and foreign keys: the rows are right, and there are many. */
async function insert(admin: Sql, statements: string): Promise<void> {
  await admin.begin(async (sql) => {
    await sql.unsafe(`set local session_replication_role = replica; ${statements}`).simple();
  });
}

/**
 * Adds the users with the numbers from first to last. Every twenty are a team. One project in ten belongs to the team,
 * one in a hundred is public.
 */
export async function addUsers(admin: Sql, first: number, last: number): Promise<void> {
  const users = `generate_series(${first}, ${last}) as n`;
  const of = (each: number) =>
    `generate_series(${first}, ${last}) as u, lateral (select u * 100 + i as n, i from generate_series(1, ${each}) as i) as x`;
  await insert(
    admin,
    `
    insert into auth.users (id, email) select ${
      id("user")
    }, 'user' || n || '@example.com' from ${users};
    insert into profiles (id) select ${id("user")} from ${users};
    insert into user_profiles (user_id) select ${id("user")} from ${users};
    insert into user_preferences (user_id) select ${id("user")} from ${users};
    insert into user_settings (user_id, notifications) select ${id("user")}, true from ${users};
    insert into user_security_settings (user_id) select ${id("user")} from ${users};
    insert into teams (id, name) select ${
      id("team")
    }, 'Team ' || n from generate_series(${first} / 20, ${last} / 20) as n;
    insert into team_members (team_id, user_id, role)
      select ${id("team", "n / 20")}, ${
      id("user")
    }, case when n % 20 = 0 or n = 1 then 'owner' else 'member' end from ${users} where n <> 19;
    insert into projects (id, user_id, team_id, title, is_public, created_at, updated_at)
      select ${id("project")}, ${id("user")}, case when n % 10 = 1 then ${
      id("team", "n / 20")
    } end, 'Project', n % 100 = 3,
        ${ago()}, ${ago()} from ${users};
    insert into conversations (id, user_id, title, created_at, updated_at)
      select ${id("conversation")}, ${id("user")}, 'Talk', ${ago()}, ${ago()} from ${users};
    insert into messages (user_id, conversation_id, role, content, created_at, updated_at)
      select ${id("user", "u")}, ${
      id("conversation", "u")
    }, 'user', to_jsonb(${WORDS}), ${ago()}, ${ago()} from ${of(5)};
    insert into messages (user_id, project_id, role, content, sequence_number, created_at, updated_at)
      select ${id("user", "u")}, ${
      id("project", "u")
    }, 'user', to_jsonb(${WORDS}), n % 100, ${ago()}, ${ago()} from ${of(5)};
    insert into project_files (project_id, user_id, file_name, storage_path, file_type, file_size)
      select ${id("project")}, ${id("user")}, 'a.txt', ${id("user")} || '/' || ${
      id("file", "n || '-1'")
    } || '.enc', 'text/plain', 10
      from ${users};
    insert into file_uploads (id, user_id, project_id, file_name, file_path, file_size, mime_type, bucket_name, created_at)
      select ${id("upload")}, ${id("user", "u")}, case when n % 3 = 0 then ${
      id("project", "u")
    } end, 'a.txt',
        ${id("user", "u")} || '/' || ${
      id("file", "u || '-' || i")
    } || '.enc', 1000, 'text/plain', 'project-files', ${ago()}
      from ${of(3)};
    insert into storage.objects (bucket_id, name, version, metadata, created_at, updated_at)
      select 'project-files', ${id("user", "u")} || '/' || ${
      id("file", "u || '-' || i")
    } || '.enc', '1', '{"size": 1000}', ${ago("n + 1000000")}, ${ago("n + 1000000")}
      from ${of(3)};
    insert into encrypted_chats (id, user_id, encrypted_data, sync_sequence, updated_at)
      select ${id("chat")}, ${id("user", "u")}, 'x', i, ${ago()} from ${of(2)};
    insert into private.chat_owners (user_id, sync_sequence) select ${id("user")}, 2 from ${users};
    insert into project_chats (project_id, user_id, chat_id)
      select ${id("project")}, ${id("user")}, ${id("chat", "n * 100 + 1")} from ${users};
    insert into tasks (user_id, status, prompt, created_at, updated_at)
      select ${
      id("user", "u")
    }, case i when 1 then 'completed' else 'pending' end::task_status_enum, 'Do it', ${ago()}, ${ago()}
      from ${of(2)};
    insert into chat_sessions (id, user_id, team_id, title, created_at, last_activity)
      select ${id("session")}, ${id("user")}, case when n % 10 = 1 then ${
      id("team", "n / 20")
    } end, 'Session', ${ago()}, ${ago()} from ${users};
    insert into chat_messages (user_id, session_id, sender, content, created_at)
      select ${id("user", "u")}, ${id("session", "u")}, 'user', ${WORDS}, ${ago()} from ${of(3)};
    insert into chat_message_cache (user_id, session_id, message_id, role, content, created_at)
      select ${id("user", "u")}, ${id("session", "u")}, n::text, 'user', ${WORDS}, ${ago()} from ${
      of(2)
    };
    insert into fragments (id, user_id, project_id, title, template, code, file_path, is_public, created_at)
      select ${id("fragment")}, ${id("user")}, ${
      id("project")
    }, 'Fragment', 'python', '1', 'a.py', n % 100 = 4, ${ago()} from ${users};
    insert into fragment_executions (fragment_id, user_id, template, started_at)
      select ${id("fragment", "u")}, ${id("user", "u")}, 'python', ${ago()} from ${of(2)};
    insert into workspace_files (user_id, path, name, parent_path, created_at)
      select ${id("user", "u")}, '/a/' || i, i::text, '/a', ${ago()} from ${of(2)};
    insert into conversation_threads (name, created_by, created_at, updated_at)
      select 'Thread', ${id("user")}, ${ago()}, ${ago()} from ${users};
    insert into user_chat_analytics (user_id) select ${id("user")} from ${users};
    insert into journal_entries (user_id, content, created_at) select ${
      id("user")
    }, 'x', ${ago()} from ${users};
    insert into user_goals (user_id, title, created_at) select ${
      id("user")
    }, 'x', ${ago()} from ${users};
    insert into user_progress (user_id, metric_type) select ${id("user")}, 'x' from ${users};
    insert into site_visits (path, timestamp) select '/', ${ago()} from ${users};
    insert into waitlist (email, created_at) select n || '@example.com', ${ago()} from ${users};
    insert into private.idempotency_keys (owner_id, actor, key, request_hash, response, created_at)
      select ${id("user")}, 'user', 'key', 'x', '{}', ${ago()} from ${users};
    insert into credit_accounts (id, team_id)
      select ${id("team account")}, ${
      id("team")
    } from generate_series(${first} / 20, ${last} / 20) as n;
    insert into credit_prices (sku, unit, price, effective_from) values ('tokens', 'token', 0.001, '2020-01-01') on conflict do nothing;
    insert into credit_accounts (id, user_id, balance, version, live_grants)
      select ${id("account")}, ${id("user")}, 10, 3, 1 from ${users};
    insert into private.credit_grants (id, account_id, category, amount, remaining, status, effective_at, source, created_at)
      select ${id("grant")}, ${
      id("account")
    }, 'paid', 12, 10, 'active', now() - interval '1 day', 'bench', now() - interval '1 day'
      from ${users};
    insert into private.credit_transactions
        (account_id, entry_no, kind, amount, balance_after, actor, actor_id, created_at, grant_id, sku, quantity, unit_price)
      select ${
      id("account", "u")
    }, i, case i when 1 then 'grant' else 'deduct' end, case i when 1 then 12 else -1 end, 13 - i,
        'service', ${id("user", "u")}, now() - interval '1 day' + i * interval '1 second', ${
      id("grant", "u")
    },
        case when i > 1 then 'tokens' end, case when i > 1 then 1 end, case when i > 1 then 1 end
      from ${of(3)};
    insert into webhook_events (provider, event_id, type, payload, outcome, received_at)
      select 'stripe', 'event' || n, 'charge.succeeded', '{}', 'ignored', ${ago()} from ${users};`,
  );
}

/** Gives the heavy user a lot of everything that has no natural end. */
export async function addHeavy(admin: Sql, scale: number): Promise<void> {
  const { messages, conversations, files, rows } = sizes(scale).heavy;
  const series = (most: number) => `generate_series(1, ${most}) as n`;
  await insert(
    admin,
    `
    insert into conversations (id, user_id, title, created_at, updated_at)
      select ${id("heavy conversation")}, ${HEAVY_ID}, 'Talk', ${ago()}, ${ago()} from ${
      series(conversations)
    };
    -- Half of the messages are in one project, the others in the conversations.
    insert into messages (user_id, conversation_id, role, content, created_at, updated_at)
      select ${HEAVY_ID}, ${
      id("heavy conversation", `n % ${conversations} + 1`)
    }, 'user', to_jsonb(${WORDS}), ${ago()}, ${ago()}
      from ${series(messages / 2)};
    insert into messages (user_id, project_id, role, content, sequence_number, created_at, updated_at)
      select ${HEAVY_ID}, ${
      id("project", "22")
    }, 'user', to_jsonb(${WORDS}), 1000 + n, ${ago()}, ${ago()}
      from ${series(messages / 2)};
    insert into file_uploads (id, user_id, project_id, file_name, file_path, file_size, mime_type, bucket_name, created_at)
      select ${id("heavy upload")}, ${HEAVY_ID}, case when n % 3 = 0 then ${
      id("project", "22")
    } end, 'a.txt',
        ${HEAVY_ID} || '/' || ${
      id("heavy file")
    } || '.enc', 1000, 'text/plain', 'project-files', ${ago()} from ${series(files)};
    insert into project_files (project_id, user_id, file_name, storage_path, file_type, file_size)
      select ${id("project", "22")}, ${HEAVY_ID}, 'a.txt', ${HEAVY_ID} || '/' || ${
      id("heavy file")
    } || '.enc', 'text/plain', 1000
      from ${series(files)} where n % 3 = 0;
    insert into storage.objects (bucket_id, name, version, metadata, created_at, updated_at)
      select 'project-files', ${HEAVY_ID} || '/' || ${
      id("heavy file")
    } || '.enc', '1', '{"size": 1000}', ${ago("n + 1000000")}, ${ago("n + 1000000")}
      from ${series(files)};
    insert into encrypted_chats (id, user_id, encrypted_data, sync_sequence, updated_at)
      select ${id("heavy chat")}, ${HEAVY_ID}, 'x', n + 2, ${ago()} from ${series(rows)};
    update private.chat_owners set sync_sequence = ${rows} + 2 where user_id = ${HEAVY_ID};
    insert into project_chats (project_id, user_id, chat_id)
      select ${id("project", "22")}, ${HEAVY_ID}, ${id("heavy chat")} from ${series(rows)};
    -- What is due for cleanup jobs: the uploads of another user, because an open one counts.
    insert into messages (user_id, project_id, role, content, sequence_number, status, created_at, updated_at)
      select ${HEAVY_ID}, ${id("project", "22")}, 'assistant', '"x"', 900000 + n, 'streaming', ${
      ago("n + 3600")
    }, ${ago("n + 3600")}
      from ${series(rows)};
    insert into file_uploads (user_id, file_name, file_path, upload_path, file_size, mime_type, bucket_name, status, expires_at)
      select ${id("user", "23")}, 'a.txt', ${id("user", "23")} || '/' || ${id("late")}, ${
      id("user", "23")
    } || '/' || ${id("late")}, 1, 'text/plain',
        'project-files', 'pending', ${ago("n + 7200")} from ${series(rows)};
    insert into private.spent_uploads (bucket_id, name, user_id, expires_at)
      select 'project-files', ${id("user", "23")} || '/' || ${id("spent")}, ${id("user", "23")}, ${
      ago("n + 7200")
    } from ${series(rows)};
    insert into private.storage_removals (bucket_id, name, version)
      select 'project-files', ${HEAVY_ID} || '/' || ${id("removed")}, '1' from ${series(rows)};
    insert into tasks (user_id, prompt, created_at) select ${HEAVY_ID}, 'Do it', ${ago()} from ${
      series(rows)
    };
    insert into chat_sessions (id, user_id, title, created_at, last_activity)
      select ${id("heavy session")}, ${HEAVY_ID}, 'Session', ${ago()}, ${ago()} from ${
      series(rows / 10)
    };
    insert into chat_messages (user_id, session_id, sender, content, created_at)
      select ${HEAVY_ID}, ${
      id("heavy session", `n % ${Math.max(1, rows / 10)} + 1`)
    }, 'user', ${WORDS}, ${ago()} from ${series(rows)};
    insert into chat_message_cache (user_id, session_id, message_id, role, content, created_at)
      select ${HEAVY_ID}, ${
      id("heavy session", `n % ${Math.max(1, rows / 10)} + 1`)
    }, n::text, 'user', ${WORDS}, ${ago()} from ${series(rows)};
    insert into fragments (user_id, project_id, title, template, code, file_path, created_at)
      select ${HEAVY_ID}, ${
      id("project", "22")
    }, 'Fragment', 'python', '1', 'a.py', ${ago()} from ${series(rows)};
    insert into fragment_executions (fragment_id, user_id, template, started_at)
      select ${id("fragment", "22")}, ${HEAVY_ID}, 'python', ${ago()} from ${series(rows)};
    insert into workspace_files (user_id, path, name, parent_path, created_at)
      select ${HEAVY_ID}, '/h/' || n, n::text, '/h', ${ago()} from ${series(rows)};
    insert into conversation_threads (name, created_by, created_at, updated_at)
      select 'Thread', ${HEAVY_ID}, ${ago()}, ${ago()} from ${series(rows)};
    insert into journal_entries (user_id, content, created_at) select ${HEAVY_ID}, 'x', ${ago()} from ${
      series(rows)
    };
    insert into user_goals (user_id, title, created_at) select ${HEAVY_ID}, 'x', ${ago()} from ${
      series(rows)
    };
    update credit_accounts set version = ${rows} + 3 where user_id = ${HEAVY_ID};
    insert into private.credit_transactions
        (account_id, entry_no, kind, amount, balance_after, actor, actor_id, created_at, grant_id, sku, quantity, unit_price)
      select ${
      id("account", "22")
    }, n + 3, 'deduct', -1, 10, 'service', ${HEAVY_ID}, now() - interval '1 day' + n * interval '1 second',
        ${id("grant", "22")}, 'tokens', 1, 1 from ${series(rows)};`,
  );
}

/** Builds the index for search after the rows: one by one it would take most of the time. */
export async function withoutSearchIndex(admin: Sql, run: () => Promise<void>): Promise<void> {
  const [index] = await admin`
    select pg_get_indexdef(indexrelid) as text from pg_index where indexrelid = to_regclass('public.messages_search')`;
  if (index) await admin.unsafe("drop index public.messages_search");
  await run();
  if (index) await admin.unsafe(index["text"]);
}

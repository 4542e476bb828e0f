-- The settings: every limit, amount and period that an operator may change, in one table.

-- settings ------------------------------------------------------------------------------------------

create table private.settings (
  name text primary key,
  value numeric not null,
  unit text not null,
  minimum numeric not null,
  maximum numeric not null,
  description text not null,
  updated_at timestamptz not null default now(),
  constraint settings_name_check check (name ~ '^[a-z_]+\.[a-z_]+$'),
  constraint settings_value_check check (value between minimum and maximum)
);
comment on table private.settings is
  'Limits and amounts that an operator may change: update private.settings set value = ... where name = ...';
comment on column private.settings.name is 'domain.name, as in credits.signup_amount';
comment on column private.settings.unit is 'What value counts: credits, bytes, seconds, rows';

revoke all on private.settings from public, anon, authenticated, service_role;

-- Returns the value of a setting. An unknown name is a bug in the caller and raises P0002.
create function private.setting(name text)
returns numeric
language plpgsql stable set search_path = ''
as $$
declare
  v_value numeric;
begin
  select s.value into strict v_value from private.settings as s where s.name = setting.name;
  return v_value;
end $$;
revoke all on function private.setting(text) from public, anon, authenticated, service_role;

-- A setting in seconds as an interval, for what is kept or valid for that long.
create function private.retention(name text)
returns interval
language plpgsql stable set search_path = ''
as $$
begin
  return private.setting(name) * interval '1 second';
end $$;
revoke all on function private.retention(text) from public, anon, authenticated, service_role;

create trigger settings_updated_at before update on private.settings
  for each row execute function public.handle_updated_at();

insert into private.settings (name, value, unit, minimum, maximum, description) values
  ('credits.signup_amount', 100, 'credits', 0, 1000000000, 'Credits granted to a new account; 0 grants none'),
  ('credits.largest_balance', 10000000000, 'credits', 0, 10000000000,
    'The largest balance of an account: a grant that would exceed it is refused'),
  ('credits.refund_validity', 2592000, 'seconds', 1, 315360000,
    'How long credits remain valid that are refunded after their grant has ended'),
  ('credits.hold_duration', 900, 'seconds', 1, 2592000, 'How long a hold lasts when the request does not say'),
  ('credits.longest_hold', 604800, 'seconds', 1, 2592000, 'The longest time that a hold can last'),
  ('messages.sequence_lead', 10000, 'numbers', 1, 1000000,
    'How far the sequence number of a new message may be ahead of the newest in its project'),
  ('messages.content_size', 262144, 'bytes', 1, 10485760,
    'The largest content of a message, and the largest object_data, result_data and metadata'),
  ('messages.batch_size', 100, 'messages', 1, 1000, 'The most messages that one request saves'),
  ('messages.per_project', 1000000, 'messages', 1, 2147483647,
    'The most messages in a project: their sequence numbers are lower than this'),
  ('messages.draft_limit', 600, 'seconds', 1, 86400, 'A draft that has not changed for this long is aborted'),
  ('chats.max_envelope_bytes', 8388608, 'bytes', 1024, 67108864, 'The largest envelope: a chat, its title or a segment'),
  ('chats.max_text_bytes', 65536, 'bytes', 1024, 1048576,
    'The most unencrypted text in a chat: title, custom_name and image_paths together'),
  ('chats.max_bytes', 1073741824, 'bytes', 0, 1099511627776, 'The most that all chats of a user may take up'),
  ('chats.max_page_bytes', 8388608, 'bytes', 1024, 67108864,
    'The most ciphertext in a page of a chat or a sync, which always has at least one item'),
  ('chats.min_iterations', 600000, 'iterations', 1000, 10000000,
    'The fewest PBKDF2-SHA256 iterations in a new password wrap'),
  ('chats.max_devices', 50, 'devices', 1, 1000, 'The most devices of a user that have a key of their own'),
  ('chats.tombstone_retention', 7776000, 'seconds', 0, 3153600000,
    'How long a deleted chat is remembered (90 days): a device that was away longer syncs from the start'),
  ('files.owner_quota', 1073741824, 'bytes', 0, 1099511627776,
    'The most that one user may store in all buckets together, unless set_storage_quota has set another quota'),
  ('files.open_uploads', 60, 'uploads', 1, 100000,
    'The most valid upload URLs of one user: each admits as much as its bucket does, whatever size was declared'),
  ('webhooks.max_attempts', 15, 'attempts', 1, 100,
    'How often an event is tried before it becomes a dead letter'),
  ('webhooks.payload_retention', 7776000, 'seconds', 86400, 315360000,
    'How long the payload of an event is kept (90 days): after that it cannot be replayed'),
  ('webhooks.late_payment_validity', 259200, 'seconds', 0, 31536000,
    'The shortest validity of the credits of a period that is paid late: Stripe repeats events for three days'),
  ('idempotency.key_retention', 2592000, 'seconds', 86400, 315360000,
    'How long an idempotency key is kept (30 days): after that a repeat counts as a new request'),
  ('projects.deleted_retention', 2592000, 'seconds', 60, 3153600000,
    'How long a deleted project can be restored (30 days): after that the cleanup deletes it for good'),
  ('tasks.finished_retention', 7776000, 'seconds', 60, 3153600000,
    'How long a task is kept after it was completed or failed (90 days)'),
  ('files.orphan_retention', 604800, 'seconds', 60, 3153600000,
    'How long an object to which no row refers is kept after its last change (7 days)'),
  ('files.multipart_retention', 604800, 'seconds', 86400, 3153600000,
    'How long a multipart upload may stay incomplete (7 days)'),
  ('files.upload_url_validity', 7200, 'seconds', 60, 7200,
    'How long an upload URL of Storage is valid (2 hours): as Storage is configured'),
  ('files.upload_grace', 3600, 'seconds', 60, 86400,
    'How long after its URL has ended an upload can still arrive, because it began earlier (1 hour)'),
  ('files.lease', 300, 'seconds', 180, 3600,
    'How long a removal or a replacement belongs to the function that began it (5 minutes): longer than a function lives'),
  ('files.first_retry', 60, 'seconds', 1, 3600, 'How long after its first failure a removal is tried again'),
  ('files.longest_retry', 3600, 'seconds', 60, 604800, 'How long after a failure a removal is tried again at the latest'),
  ('auth.revoked_token_retention', 2592000, 'seconds', 86400, 3153600000,
    'How long a refresh token is kept after it was revoked (30 days)'),
  ('cleanup.run_retention', 2592000, 'seconds', 60, 3153600000, 'How long runs of the cleanup are kept (30 days)'),
  ('cleanup.cron_history_retention', 604800, 'seconds', 60, 3153600000,
    'How long entries of cron.job_run_details are kept (7 days)'),
  ('cleanup.lease', 60, 'seconds', 15, 600,
    'How long a runner keeps a job after each batch: longer than any batch takes. A crash delays the job this long'),
  ('cleanup.overdue_after', 1800, 'seconds', 60, 604800,
    'A job that has not succeeded this long after it was due is reported as overdue');

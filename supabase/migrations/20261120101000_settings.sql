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

-- The value of one setting; an unknown name is a fault in the caller and raises P0002.
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
  ('credits.signup_amount', 100, 'credits', 0, 1000000000, 'Granted to a new account; 0 grants nothing'),
  ('credits.largest_balance', 10000000000, 'credits', 0, 10000000000,
    'A grant that would lift an account above this is refused'),
  ('credits.refund_validity', 2592000, 'seconds', 1, 315360000,
    'How long credits last that are refunded after their grant has ended'),
  ('credits.hold_duration', 900, 'seconds', 1, 2592000, 'How long a hold lasts that does not say'),
  ('credits.longest_hold', 604800, 'seconds', 1, 2592000, 'How long a hold may last'),
  ('messages.sequence_lead', 10000, 'numbers', 1, 1000000,
    'How far ahead of a project''s newest message a client may number one'),
  ('messages.content_size', 262144, 'bytes', 1, 10485760,
    'The largest content of a message; as large may its object_data, result_data and metadata each be'),
  ('messages.batch_size', 100, 'messages', 1, 1000, 'The most messages that one request saves'),
  ('messages.per_project', 1000000, 'messages', 1, 2147483647, 'A project numbers its messages from 0 to one below this'),
  ('messages.draft_limit', 600, 'seconds', 1, 86400, 'A draft that has not changed for so long is aborted'),
  ('chats.max_envelope_bytes', 8388608, 'bytes', 1024, 67108864, 'The largest envelope: a chat, its title or a segment'),
  ('chats.max_text_bytes', 65536, 'bytes', 1024, 1048576,
    'What a chat carries in clear: title, custom_name and image_paths together'),
  ('chats.max_bytes', 1073741824, 'bytes', 0, 1099511627776, 'What all chats of a user may take up'),
  ('chats.max_page_bytes', 8388608, 'bytes', 1024, 67108864,
    'Ciphertext in one page of a chat or of a sync; one item is always answered'),
  ('chats.min_iterations', 600000, 'iterations', 1000, 10000000, 'Of PBKDF2-SHA256 in a new password wrap'),
  ('chats.max_devices', 50, 'devices', 1, 1000, 'Devices of a user with a key of their own'),
  ('chats.tombstone_retention', 7776000, 'seconds', 0, 3153600000,
    'How long a deleted chat is remembered (90 days): a device that was away longer starts over'),
  ('files.owner_quota', 1073741824, 'bytes', 0, 1099511627776,
    'What one user may have in all buckets together, unless set_storage_quota has said otherwise'),
  ('files.open_uploads', 60, 'uploads', 1, 100000,
    'Upload URLs of one user that may be good at once: each can bring as much as its bucket takes, whatever was declared'),
  ('webhooks.max_attempts', 15, 'attempts', 1, 100,
    'How often the effect of an event is tried before it is a dead letter'),
  ('webhooks.payload_retention', 7776000, 'seconds', 86400, 315360000,
    'How long the payload of an event is kept: until then it can be replayed'),
  ('webhooks.late_payment_validity', 259200, 'seconds', 0, 31536000,
    'How long credits of a period last at least that Strongroom hears of late: Stripe repeats events for three days'),
  ('idempotency.key_retention', 2592000, 'seconds', 86400, 315360000,
    'How long an idempotency key is kept (30 days): a request that is repeated later is a new one'),
  ('projects.deleted_retention', 2592000, 'seconds', 60, 3153600000,
    'How long a deleted project can be restored (30 days): after that the cleanup deletes it for good'),
  ('tasks.finished_retention', 7776000, 'seconds', 60, 3153600000,
    'How long a task is kept after it was completed or failed (90 days)'),
  ('files.orphan_retention', 604800, 'seconds', 60, 3153600000,
    'How long an object that no row refers to has to be unchanged before the cleanup removes it (7 days)'),
  ('files.multipart_retention', 604800, 'seconds', 86400, 3153600000,
    'How long a multipart upload may stay incomplete (7 days)'),
  ('auth.revoked_token_retention', 2592000, 'seconds', 86400, 3153600000,
    'How long a refresh token is kept after it was revoked (30 days)'),
  ('cleanup.run_retention', 2592000, 'seconds', 60, 3153600000, 'How long runs of the cleanup are kept (30 days)'),
  ('cleanup.cron_history_retention', 604800, 'seconds', 60, 3153600000,
    'How long entries of cron.job_run_details are kept (7 days)'),
  ('cleanup.lease', 60, 'seconds', 15, 600,
    'How long a job is its runner''s after each batch: longer than any batch takes, and how long a crash may hold it up'),
  ('cleanup.overdue_after', 1800, 'seconds', 60, 604800,
    'A job that has not succeeded so long after it was due is reported as overdue');

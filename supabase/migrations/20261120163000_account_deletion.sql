-- The deletion of an account at its user's wish: it is requested with a session that is new, can be cancelled for a while,
-- and is then carried out by the cleanup job account_deletions. What Auth's own deletion of a user does is in accounts.

insert into private.settings (name, value, unit, minimum, maximum, description) values
  ('accounts.deletion_grace', 1209600, 'seconds', 0, 7776000,
    'How long a requested deletion of an account can be cancelled (14 days)'),
  ('accounts.recent_sign_in', 900, 'seconds', 60, 86400,
    'How long after a sign-in its session may delete the account (15 minutes)'),
  ('accounts.keep_ledger', 0, 'yes or no', 0, 1,
    'Whether the ledger and the payments of an account that has paid are kept without its user when it is deleted; 1: yes'),
  ('accounts.ledger_retention', 315360000, 'seconds', 86400, 3153600000,
    'How long the ledgers of deleted accounts are kept (10 years)');

create table private.account_deletions (
  user_id uuid primary key references auth.users (id) on delete cascade,
  requested_at timestamptz not null default now(),
  due_at timestamptz not null,
  begun_at timestamptz,
  cursor jsonb not null default '{"step": "ledger"}'
);
comment on table private.account_deletions is 'Accounts whose users want them deleted';
comment on column private.account_deletions.begun_at is 'When the cleanup began with it: from then on, it cannot be cancelled';
comment on column private.account_deletions.cursor is 'How far the cleanup has come: step is ledger, events, messages or account';
revoke all on private.account_deletions from public, anon, authenticated, service_role;
create index account_deletions_due_at on private.account_deletions (due_at);
select private.add_account_tables('{private.account_deletions}', 't.user_id = $1', '{user_id}',
  left_out => 'Has only the time at which the account will be deleted');

create table private.kept_ledgers (
  ledger_id uuid not null,
  kind text not null,
  number bigint not null,
  entry jsonb not null,
  kept_at timestamptz not null default now(),
  primary key (ledger_id, kind, number),
  constraint kept_ledgers_kind_check check (kind in ('entry', 'payment'))
);
comment on table private.kept_ledgers is
  'The ledgers and payments of deleted accounts that had paid, if accounts.keep_ledger is 1. ledger_id is a random number: nothing says whose it was';
revoke all on private.kept_ledgers from public, anon, authenticated, service_role;
create index kept_ledgers_kept_at on private.kept_ledgers (kept_at);

-- For users -------------------------------------------------------------------------------------------

create type public.account_deletion as (
  state text,
  requested_at timestamptz,
  removed_at timestamptz
);
comment on type public.account_deletion is
  'active, or to_be_deleted: then the account is removed at removed_at, unless the deletion is cancelled before';

-- Returns whether a deletion of the user's account is requested.
-- Definer: no role may read the table. For the service only, which has verified user_id.
-- Raises: PT404 user_not_found.
create function public.get_account_deletion(user_id uuid)
returns public.account_deletion
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_deletion private.account_deletions;
begin
  select d.* into v_deletion from private.account_deletions as d where d.user_id = get_account_deletion.user_id;
  if found then
    return row('to_be_deleted', v_deletion.requested_at, v_deletion.due_at)::public.account_deletion;
  end if;
  if not exists (select from auth.users as u where u.id = get_account_deletion.user_id) then
    raise exception 'There is no user "%"', user_id using errcode = 'PT404', detail = 'user_not_found';
  end if;
  return row('active', null, null)::public.account_deletion;
end $$;
revoke all on function public.get_account_deletion(uuid) from public, anon, authenticated;
grant execute on function public.get_account_deletion(uuid) to service_role;

-- Refuses the deletion of an account that would leave a running subscription to nobody: its own, or that of a team of
-- which the user is the only owner. Domains that were taken out have no tables.
-- Raises: PT409 account_has_subscription {subscription_ids}, team_has_subscription {team_id, subscription_ids}.
create function private.refuse_subscriptions(user_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
declare
  v_ids text[];
  v_table text := to_regclass(concat_ws('.', 'public', 'stripe_subscriptions'))::text;
  v_team public.teams;
begin
  if v_table is not null then
    execute format('select array_agg(s.id order by s.id) from public.%I as s
      where s.user_id = $1 and coalesce(s.status, '''') not in (''canceled'', ''incomplete_expired'')', 'stripe_subscriptions')
    using user_id into v_ids;
    if v_ids is not null then
      raise exception 'You have a subscription that has not ended'
        using errcode = 'PT409',
          detail = 'account_has_subscription ' || jsonb_build_object('subscription_ids', v_ids)::text,
          hint = 'Cancel the subscription first, with immediate effect';
    end if;
  end if;
  for v_team in
    select t.* from public.teams as t join public.team_members as m on m.team_id = t.id
    where m.user_id = refuse_subscriptions.user_id and m.role = 'owner'
      and not exists (
        select from public.team_members as o where o.team_id = t.id and o.role = 'owner' and o.user_id <> m.user_id)
  loop
    v_ids := private.running_subscriptions(v_team);
    if v_ids <> '{}' then
      raise exception 'You are the only owner of the team "%", which has a subscription that has not ended', v_team.name
        using errcode = 'PT409', detail = 'team_has_subscription ' || jsonb_build_object(
          'team_id', v_team.id, 'subscription_ids', v_ids)::text,
          hint = 'Cancel the subscription first, with immediate effect, or make another member an owner';
    end if;
  end loop;
end $$;
revoke all on function private.refuse_subscriptions(uuid) from public, anon, authenticated, service_role;

-- Requests the deletion of a user's account. session_id is the session of the request: it must have begun with a sign-in
-- no longer ago than accounts.recent_sign_in. If the deletion is requested already, nothing changes.
-- Definer: no role may write the table or read Auth's sessions. For the service only, which has verified both arguments.
-- Raises: PT403 reauthentication_needed {seconds}; PT404 user_not_found; what refuse_subscriptions raises.
create function public.request_account_deletion(user_id uuid, session_id uuid)
returns public.account_deletion
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform from auth.users as u where u.id = request_account_deletion.user_id for key share;
  if not found then
    raise exception 'There is no user "%"', user_id using errcode = 'PT404', detail = 'user_not_found';
  end if;
  if not exists (
    select from auth.sessions as s
    where s.id = request_account_deletion.session_id and s.user_id = request_account_deletion.user_id
      and s.created_at > now() - private.retention('accounts.recent_sign_in')) then
    raise exception 'Deleting an account requires a recent sign-in'
      using errcode = 'PT403', detail = 'reauthentication_needed ' || jsonb_build_object(
        'seconds', private.setting('accounts.recent_sign_in'))::text,
        hint = 'Sign in again, and send the request with the new session token';
  end if;
  perform private.refuse_subscriptions(user_id);
  insert into private.account_deletions (user_id, due_at)
  values (request_account_deletion.user_id, now() + private.retention('accounts.deletion_grace'))
  on conflict do nothing;
  return public.get_account_deletion(user_id);
end $$;
revoke all on function public.request_account_deletion(uuid, uuid) from public, anon, authenticated;
grant execute on function public.request_account_deletion(uuid, uuid) to service_role;

-- Cancels the deletion of a user's account.
-- Definer: no role may write the table. For the service only, which has verified user_id.
-- Raises: PT404 deletion_not_found; PT409 deletion_begun.
create function public.cancel_account_deletion(user_id uuid)
returns public.account_deletion
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_begun boolean;
begin
  delete from private.account_deletions as d
  where d.user_id = cancel_account_deletion.user_id and d.begun_at is null;
  if not found then
    select true into v_begun from private.account_deletions as d where d.user_id = cancel_account_deletion.user_id;
    if v_begun then
      raise exception 'The account is being deleted already' using errcode = 'PT409', detail = 'deletion_begun',
        hint = 'It can no longer be cancelled';
    end if;
    raise exception 'No deletion of this account is requested' using errcode = 'PT404', detail = 'deletion_not_found';
  end if;
  return public.get_account_deletion(user_id);
end $$;
revoke all on function public.cancel_account_deletion(uuid) from public, anon, authenticated;
grant execute on function public.cancel_account_deletion(uuid) to service_role;

-- Steps -----------------------------------------------------------------------------------------------

-- Each step does a portion of its work and returns where it goes on: null when it is done.

-- Copies the ledgers of a user who has paid, without the user: one after another, as the user has one in each unit.
create function private.keep_ledger(user_id uuid, cursor jsonb, portion integer)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_account public.credit_accounts;
  v_ledger_id uuid := coalesce(cursor ->> 'ledger_id', gen_random_uuid()::text)::uuid;
  v_after bigint := coalesce(cursor ->> 'after', '0')::bigint;
  v_copied integer;
  v_last bigint;
begin
  select a.* into v_account from public.credit_accounts as a
  where a.user_id = keep_ledger.user_id
    and (a.id = (cursor ->> 'account_id')::uuid
      or coalesce(a.id > (cursor ->> 'account_after')::uuid, cursor ->> 'account_id' is null)
        and exists (select from private.credit_grants as g where g.account_id = a.id and g.external_reference is not null))
  order by a.id limit 1;
  if private.setting('accounts.keep_ledger') = 0 or v_account.id is null then
    return null;
  end if;
  -- Payments are few, and not in every product.
  if v_after = 0 and to_regclass(concat_ws('.', 'public', 'stripe_payments')) is not null then
    execute format('insert into private.kept_ledgers (ledger_id, kind, number, entry)
      select $2, ''payment'', row_number() over (order by p.id), to_jsonb(p) - ''account_id''
      from public.%I as p where p.account_id = $1', 'stripe_payments') using v_account.id, v_ledger_id;
  end if;
  with copied as (
    insert into private.kept_ledgers (ledger_id, kind, number, entry)
    select v_ledger_id, 'entry', t.entry_no,
      to_jsonb(t) - array['account_id', 'actor_id', 'id', 'hold_id', 'grant_id', 'request_hash', 'allocations', 'hold', 'counterpart',
        'description'] || jsonb_build_object('unit', v_account.unit)
    from private.credit_transactions as t
    where t.account_id = v_account.id and t.entry_no > v_after
    order by t.entry_no limit portion
    returning number)
  select count(*), max(c.number) into v_copied, v_last from copied as c;
  return case when v_copied = portion
    then jsonb_build_object('ledger_id', v_ledger_id, 'account_id', v_account.id, 'after', v_last)
    else jsonb_build_object('account_after', v_account.id) end;
end $$;
revoke all on function private.keep_ledger(uuid, jsonb, integer) from public, anon, authenticated, service_role;

-- Returns how JSON names a user: {"id", "email"}, in lower case; email is null if there is none.
create function private.names_of_user(user_id uuid)
returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
  return (select jsonb_build_object('id', u.id, 'email', nullif(lower(u.email), '')) from auth.users as u
    where u.id = names_of_user.user_id);
end $$;
revoke all on function private.names_of_user(uuid) from public, anon, authenticated, service_role;

-- Whether a value names a user by the id, or has a text that is the e-mail address: all of it, because one address can be
-- part of another.
create function private.names_user(value jsonb, names jsonb)
returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
  -- JSON within a text has its quotes escaped.
  return coalesce(strpos(value::text, names ->> 'id') > 0
    or strpos(replace(lower(value::text), '\"', '"'), (names -> 'email')::text) > 0, false);
end $$;
revoke all on function private.names_user(jsonb, jsonb) from public, anon, authenticated, service_role;

-- Clears the payloads of webhook events that name the user, and the user's id in what became of them.
create function private.clear_events(user_id uuid, cursor jsonb, portion integer)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_table text := to_regclass(concat_ws('.', 'public', 'webhook_events'))::text;
  v_names jsonb;
  v_last bigint;
  v_count integer;
begin
  if v_table is null then
    return null;
  end if;
  v_names := private.names_of_user(clear_events.user_id);
  execute format('select max(e.id), count(*) from (
      select e.id from public.%I as e where e.id > $1 order by e.id limit $2) as e', 'webhook_events')
  using coalesce(cursor ->> 'after', '0')::bigint, portion into v_last, v_count;
  execute format('update public.%I as e
    set payload = null, result = replace(e.result::text, $3, ''deleted'')::jsonb, error = replace(e.error, $3, ''deleted'')
    where e.id > $1 and e.id <= $2
      and (private.names_user(e.payload, $4) or private.names_user(e.result, $4) or strpos(e.error, $3) > 0)', 'webhook_events')
  using coalesce(cursor ->> 'after', '0')::bigint, v_last, clear_events.user_id::text, v_names;
  return case when v_count = portion then jsonb_build_object('after', v_last) end;
end $$;
revoke all on function private.clear_events(uuid, jsonb, integer) from public, anon, authenticated, service_role;

-- Takes the user's id from what they wrote in projects of others: the text belongs to the project.
create function private.forget_author(user_id uuid, portion integer)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_rows integer := 0;
begin
  if to_regclass(concat_ws('.', 'public', 'messages')) is not null then
    execute format('update public.%1$I as m set author_id = null where m.ctid = any (array(
      select x.ctid from public.%1$I as x where x.author_id = $1 and x.author_id <> x.user_id limit $2))', 'messages')
    using user_id, portion;
    get diagnostics v_rows = row_count;
  end if;
  return case when v_rows = portion then '{}'::jsonb end;
end $$;
revoke all on function private.forget_author(uuid, integer) from public, anon, authenticated, service_role;

-- Deletes what knows the user by the e-mail address, or names them in a log, and then the user: with it go its sessions,
-- refresh tokens and API keys, and what accounts describes.
create function private.delete_user(user_id uuid)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_email text;
  v_like text := concat('%', delete_user.user_id, '%');
  v_names jsonb := private.names_of_user(delete_user.user_id);
begin
  select nullif(u.email, '') into v_email from auth.users as u where u.id = delete_user.user_id;
  delete from public.team_invitations as i where i.email = lower(v_email);
  if to_regclass(concat_ws('.', 'public', 'waitlist')) is not null then
    execute format('delete from public.%I as w where lower(w.email) = lower($1)', 'waitlist') using v_email;
  end if;
  update private.cleanup_runs as r
  set report = '[]', error = replace(r.error, delete_user.user_id::text, 'deleted')
  where r.report::text like v_like or r.error like v_like;
  delete from private.request_counts as c where c.subject = delete_user.user_id;
  -- Who acted, or whom it was done to. Auth's versions write it in different members.
  delete from auth.audit_log_entries as e where private.names_user(e.payload::jsonb, v_names);
  delete from auth.refresh_tokens as t where t.user_id::text = delete_user.user_id::text;
  delete from auth.users as u where u.id = delete_user.user_id;
end $$;
revoke all on function private.delete_user(uuid) from public, anon, authenticated, service_role;

-- The cleanup job -------------------------------------------------------------------------------------

insert into private.cleanup_jobs (name, schedule, batch_size, description) values
  ('account_deletions', '*/5 * * * *', 1000, 'Deletes the accounts whose users have asked for it, and ledgers that were kept long enough');

-- A portion of one account. An account that got a subscription in the meantime is reported, and tried again a day later;
-- one that cannot be deleted for another reason, an hour later.
-- rows counts accounts and entries of ledgers.
create function private.cleanup_account_deletions(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result;
  v_deletion private.account_deletions;
  v_step text;
  v_next jsonb;
begin
  v_result := private.delete_due(job, dry_run, 'private.kept_ledgers', 'kept_at <= $1', 'kept_at',
    now() - private.retention('accounts.ledger_retention'));
  if dry_run then
    v_result.rows := v_result.rows + (select count(*) from private.account_deletions as d where d.due_at <= now());
    return v_result;
  end if;
  select d.* into v_deletion from private.account_deletions as d where d.due_at <= now()
  order by d.due_at limit 1 for update skip locked;
  if found then
    v_step := v_deletion.cursor ->> 'step';
    begin
      -- At the end again: one may have begun in the meantime.
      if v_deletion.begun_at is null or v_step = 'account' then
        perform private.refuse_subscriptions(v_deletion.user_id);
      end if;
      v_next := case v_step
        when 'ledger' then private.keep_ledger(v_deletion.user_id, v_deletion.cursor, job.batch_size)
        when 'events' then private.clear_events(v_deletion.user_id, v_deletion.cursor, job.batch_size)
        when 'messages' then private.forget_author(v_deletion.user_id, job.batch_size)
      end;
      if v_step = 'account' then
        perform private.delete_user(v_deletion.user_id);
        v_result.rows := v_result.rows + 1;
      else
        update private.account_deletions as d
        set begun_at = coalesce(d.begun_at, now()), cursor = coalesce(v_next, '{}') || jsonb_build_object('step',
          case when v_next is not null then v_step when v_step = 'ledger' then 'events' when v_step = 'events' then 'messages'
            else 'account' end)
        where d.user_id = v_deletion.user_id;
      end if;
    exception when others then
      -- One account that cannot be deleted must not stop the others.
      v_result.report := jsonb_build_array(jsonb_build_object('user_id', v_deletion.user_id, 'error', sqlerrm));
      update private.account_deletions as d
      set due_at = now() + case sqlstate when 'PT409' then interval '1 day' else interval '1 hour' end
      where d.user_id = v_deletion.user_id;
    end;
  end if;
  v_result.more := v_result.more or exists (select from private.account_deletions as d where d.due_at <= now());
  return v_result;
end $$;
revoke all on function private.cleanup_account_deletions(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- The schedules of this job and of account_exports. Whether the database has them at all, cleanup_jobs has said.
do $$
begin
  perform private.schedule_cleanups();
exception
  when others then
    raise warning 'The cleanups of accounts have no schedule yet: %', sqlerrm
      using hint = 'Enable pg_cron and pg_net, then run: select private.schedule_cleanups()';
end $$;

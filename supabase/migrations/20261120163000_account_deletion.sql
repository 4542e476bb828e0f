-- The deletion of an account at its user's wish: it is requested with a session that is new, can be cancelled for a while,
-- and is then carried out by the cleanup job account_deletions: it keeps the ledger, if that is to be kept, and deletes the
-- user. What is cleared then, whoever deletes the user, is in accounts.

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
comment on column private.account_deletions.cursor is 'How far the cleanup has come: step is ledger or account; ledger_id and after say what of the ledger is kept';
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
      raise exception 'The account is already being deleted' using errcode = 'PT409', detail = 'deletion_begun',
        hint = 'The deletion can no longer be cancelled';
    end if;
    raise exception 'The deletion of this account has not been requested' using errcode = 'PT404', detail = 'deletion_not_found';
  end if;
  return public.get_account_deletion(user_id);
end $$;
revoke all on function public.cancel_account_deletion(uuid) from public, anon, authenticated;
grant execute on function public.cancel_account_deletion(uuid) to service_role;

-- The ledger ------------------------------------------------------------------------------------------

-- Whether somebody has paid for credits of an account: through Stripe, or in a way that the service has granted as paid.
-- Paid credits that came by a transfer were paid for by another account, and those of a refund have a grant of their own.
create function private.has_paid(account_id uuid)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return exists (
    select from private.credit_grants as g
    where g.account_id = has_paid.account_id and g.category = 'paid' and g.source not in ('transfer', 'refund'));
end $$;
revoke all on function private.has_paid(uuid) from public, anon, authenticated, service_role;

-- Copies a portion of the ledgers of a user who has paid, without the user: there is one in each unit. Returns where it goes
-- on, {ledgers: {ACCOUNT_ID: {ledger_id, after}}, done}; null if nothing is to be kept.
create function private.keep_ledgers(user_id uuid, cursor jsonb, portion integer)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_account public.credit_accounts;
  v_ledgers jsonb := coalesce(cursor -> 'ledgers', '{}');
  v_ledger jsonb;
  v_left integer := portion;
  v_copied integer;
  v_last bigint;
begin
  if private.setting('accounts.keep_ledger') = 0 then
    return null;
  end if;
  for v_account in
    select a.* from public.credit_accounts as a
    where a.user_id = keep_ledgers.user_id and private.has_paid(a.id) order by a.id
  loop
    exit when v_left = 0;
    v_ledger := coalesce(v_ledgers -> v_account.id::text, jsonb_build_object('ledger_id', gen_random_uuid(), 'after', 0));
    with copied as (
      insert into private.kept_ledgers (ledger_id, kind, number, entry)
      select (v_ledger ->> 'ledger_id')::uuid, 'entry', t.entry_no,
        to_jsonb(t) - array['account_id', 'actor_id', 'actor_hash', 'id', 'hold_id', 'grant_id', 'request_hash', 'allocations',
          'hold', 'counterpart', 'description'] || jsonb_build_object('unit', v_account.unit)
      from private.credit_transactions as t
      where t.account_id = v_account.id and t.entry_no > (v_ledger ->> 'after')::bigint
      order by t.entry_no limit v_left
      returning number)
    select count(*), max(c.number) into v_copied, v_last from copied as c;
    v_left := v_left - v_copied;
    v_ledgers := v_ledgers || jsonb_build_object(v_account.id,
      v_ledger || jsonb_strip_nulls(jsonb_build_object('after', v_last)));
  end loop;
  return case when v_ledgers <> '{}' then jsonb_build_object('ledgers', v_ledgers, 'done', v_left > 0) end;
end $$;
revoke all on function private.keep_ledgers(uuid, jsonb, integer) from public, anon, authenticated, service_role;

-- Definer: it runs as the Auth server's role, which has no rights here.
create function private.prepare_deletion()
returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_cursor jsonb := coalesce((select d.cursor from private.account_deletions as d where d.user_id = old.id), '{}');
begin
  -- The cleanup has kept all but the newest entries, in portions. Who deletes a user otherwise has all of them kept at once.
  loop
    v_cursor := private.keep_ledgers(old.id, v_cursor, 10000);
    exit when v_cursor is null or (v_cursor ->> 'done')::boolean;
  end loop;
  -- Payments are few, and not in every product.
  if v_cursor is not null and to_regclass(concat_ws('.', 'public', 'stripe_payments')) is not null then
    execute format('insert into private.kept_ledgers (ledger_id, kind, number, entry)
      select (l.value ->> ''ledger_id'')::uuid, ''payment'', row_number() over (partition by p.account_id order by p.id),
        to_jsonb(p) - ''account_id''
      from jsonb_each($1) as l join public.%I as p on p.account_id = l.key::uuid', 'stripe_payments')
    using v_cursor -> 'ledgers';
  end if;
  delete from auth.refresh_tokens as t using auth.sessions as s where s.user_id = old.id and t.session_id = s.id;
  return old;
end $$;
comment on function private.prepare_deletion() is
  'Trigger function: keeps the ledgers of a user who is deleted, and deletes what can be found only through the sessions of the user';
revoke all on function private.prepare_deletion() from public, anon, authenticated, service_role;

create trigger prepare_deletion before delete on auth.users
  for each row execute function private.prepare_deletion();

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
    begin
      -- At the end again: one may have begun in the meantime.
      if v_deletion.begun_at is null or v_deletion.cursor ->> 'step' = 'account' then
        perform private.refuse_subscriptions(v_deletion.user_id);
      end if;
      if v_deletion.cursor ->> 'step' = 'account' then
        delete from auth.users as u where u.id = v_deletion.user_id;
        v_result.rows := v_result.rows + 1;
      else
        v_next := private.keep_ledgers(v_deletion.user_id, v_deletion.cursor, job.batch_size);
        update private.account_deletions as d
        set begun_at = coalesce(d.begun_at, now()), cursor = coalesce(v_next, '{}') || jsonb_build_object('step',
          case when (v_next ->> 'done')::boolean is false then 'ledger' else 'account' end)
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

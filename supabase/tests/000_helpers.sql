-- Helpers of the other files: a cast of users, and acting as one of them. Left in place; not part of
-- the product, and made anew by each run.

begin;
drop schema if exists tests cascade;
create schema tests;
grant usage on schema tests to anon, authenticated, service_role;

-- The name is a user's only property: the same name is the same id in every file.
create function tests.user_id(name text) returns uuid language sql immutable as $$
  select md5('strongroom test user ' || name)::uuid
$$;

-- Signs a user up as the Auth server does, and returns the id.
create function tests.create_user(name text) returns uuid language sql as $$
  insert into auth.users (id, email, aud, role, raw_app_meta_data, raw_user_meta_data)
  values (tests.user_id(name), name || '@example.com', 'authenticated', 'authenticated', '{}',
    jsonb_build_object('display_name', name))
  returning id
$$;

-- From here on, statements run as this user, as PostgREST runs them.
create function tests.authenticate_as(name text) returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims', jsonb_build_object(
    'sub', tests.user_id(name), 'role', 'authenticated', 'aud', 'authenticated')::text, true);
  perform set_config('role', 'authenticated', true);
end $$;

-- From here on, statements run without a user.
create function tests.authenticate_as_anon() returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims', '{"role": "anon"}', true);
  perform set_config('role', 'anon', true);
end $$;

-- From here on, statements run as the service with its secret key.
create function tests.authenticate_as_service() returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims', '{"role": "service_role"}', true);
  perform set_config('role', 'service_role', true);
end $$;

-- From here on, statements run as the owner of the database again.
create function tests.clear_authentication() returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claims', '', true);
  perform set_config('role', 'none', true);
end $$;

-- Settles the accounts on which something has come due, and returns how many.
create function tests.settle_due_credits() returns bigint language sql as $$
  select count(*) from public.credit_accounts as a
  cross join lateral private.settle_credit_account(a, clock_timestamp())
  where a.next_due_at <= clock_timestamp()
$$;

-- Does one batch of a cleanup job, as the cleanup does, and returns how many rows it was.
create function tests.clean_up(job text, batch integer default 1000) returns bigint language plpgsql as $$
declare
  v_job private.cleanup_jobs;
begin
  select j.* into strict v_job from private.cleanup_jobs as j where j.name = clean_up.job;
  v_job.batch_size := batch;
  return (private.do_cleanup(v_job, false)).rows;
end $$;

create function tests.account_of(name text, unit text default 'credits') returns uuid language sql stable as $$
  select a.id from public.credit_accounts as a where a.user_id = tests.user_id(name) and a.unit = account_of.unit
$$;

-- Moves all that an account has into the past: for it, that much time has passed.
create function tests.pass_time(account_id uuid, passed interval) returns void language plpgsql as $$
begin
  alter table private.credit_transactions disable trigger credit_transactions_append_only;
  update private.credit_transactions as t set created_at = t.created_at - passed, hold = t.hold
    || jsonb_build_object('created_at', (t.hold ->> 'created_at')::timestamptz - passed,
      'expires_at', (t.hold ->> 'expires_at')::timestamptz - passed)
  where t.account_id = pass_time.account_id;
  alter table private.credit_transactions enable trigger credit_transactions_append_only;
  update private.credit_grants as g
  set effective_at = g.effective_at - passed, expires_at = g.expires_at - passed, created_at = g.created_at - passed,
    voided_at = g.voided_at - passed
  where g.account_id = pass_time.account_id;
  update private.credit_holds as h
  set expires_at = h.expires_at - passed, created_at = h.created_at - passed
  where h.account_id = pass_time.account_id;
  update private.ended_credit_holds as h
  set expires_at = h.expires_at - passed, created_at = h.created_at - passed, resolved_at = h.resolved_at - passed
  where h.account_id = pass_time.account_id;
  update public.credit_accounts as a
  set next_due_at = a.next_due_at - passed, updated_at = a.updated_at - passed, created_at = a.created_at - passed
  where a.id = pass_time.account_id;
end $$;

-- An envelope as a client makes it, around random bytes: of format 2 with a key, of format 1 without.
create function tests.envelope(key_id uuid default null, bytes integer default 16) returns text language sql as $$
  select (jsonb_build_object('v', case when key_id is null then '1' else '2' end,
    'nonce', encode(substr(sha256(gen_random_uuid()::text::bytea), 1, 12), 'base64'),
    'ciphertext', translate(encode(decode(repeat(md5(random()::text), bytes / 16), 'hex'), 'base64'), E'\n', ''),
    'mac', encode(decode(md5(random()::text), 'hex'), 'base64'))
    || case when key_id is null then '{}' else jsonb_build_object('key_id', key_id) end)::text
$$;

-- Runs a statement, which must fail, and returns its SQLSTATE and the machine code of its DETAIL.
create function tests.refusal(statement text) returns text language plpgsql as $$
declare
  v_detail text;
begin
  execute statement;
  return 'no refusal';
exception when others then
  get stacked diagnostics v_detail = pg_exception_detail;
  return trim(sqlstate || ' ' || split_part(v_detail, ' ', 1));
end $$;

-- What comes of a statement that a role runs: the number of rows it returned or changed, or the SQLSTATE of its
-- refusal. Nothing of it stays. With row_where, a statement that touched nothing is checked to have: the
-- rows of the table are looked at again by the owner of the database.
create function tests.attempt(
  actor text, statement text, before text default null, tbl text default null, row_where text default null
) returns text language plpgsql as $$
declare
  v_rows bigint;
  v_image text;
  v_image_after text;
  v_look text := format('select md5(string_agg(t::text, %L order by t::text)) from %s as t where %s',
    '|', tbl, row_where);
begin
  if before is not null then
    execute before;
  end if;
  if row_where is not null then
    execute v_look into v_image;
  end if;
  if actor = 'anon' then
    perform tests.authenticate_as_anon();
  elsif actor = 'service' then
    perform tests.authenticate_as_service();
  else
    perform tests.authenticate_as(actor);
  end if;
  execute statement;
  get diagnostics v_rows = row_count;
  perform tests.clear_authentication();
  if row_where is not null and v_rows = 0 then
    execute v_look into v_image_after;
    if v_image is distinct from v_image_after then
      raise exception 'It said that it changed nothing, and did' using errcode = 'ZZ001';
    end if;
  end if;
  raise exception using errcode = 'ZZ999', message = v_rows::text;
exception
  when sqlstate 'ZZ999' then
    return sqlerrm;
  when others then
    return sqlstate;
end $$;

grant execute on all functions in schema tests to anon, authenticated, service_role;

select plan(1);
select has_function('tests', 'authenticate_as', 'the helpers are there');
select * from finish();
commit;

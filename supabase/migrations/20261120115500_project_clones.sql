-- Cloning projects: a clone copies what its source had when the cloning began, in portions, without a lock on the source.

-- project_clones ------------------------------------------------------------------------------------

create table private.project_clones (
  id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  source_id uuid not null,
  status text not null default 'copying',
  code text,
  stage text not null,
  last_number integer,
  after_number integer not null default -1,
  after_id uuid not null default '00000000-0000-0000-0000-000000000000',
  messages integer not null default 0,
  total_messages integer not null default 0,
  files integer not null default 0,
  total_files integer not null default 0,
  started_at timestamptz not null default now(),
  worked_at timestamptz not null default now(),
  finished_at timestamptz,
  constraint project_clones_status_check check (status in ('copying', 'complete', 'failed')),
  constraint project_clones_stage_check check (stage in ('messages', 'files', 'uploads', 'done')),
  constraint project_clones_code_check check ((code is not null) = (status = 'failed')),
  constraint project_clones_finished_check check (finished_at is null or status <> 'copying')
);
comment on table private.project_clones is 'The clones of projects, and how far each has come';
comment on column private.project_clones.id is 'The project that is the clone, which may have been deleted since';
comment on column private.project_clones.code is 'Why it failed: the code of an error';
comment on column private.project_clones.stage is 'What is being copied: messages, then records of files, then records of uploads';
comment on column private.project_clones.last_number is 'The number of the newest message when the cloning began: later ones are not copied';
comment on column private.project_clones.worked_at is 'When a portion was last copied or removed: the clone that has waited longest is next';
comment on column private.project_clones.finished_at is 'When it was complete, or when everything that a failed clone had copied was removed';
revoke all on private.project_clones from public, anon, authenticated, service_role;

create index project_clones_user_started on private.project_clones (user_id, started_at);
create index project_clones_copying on private.project_clones (user_id) where status = 'copying';
create index project_clones_unfinished on private.project_clones (worked_at) where finished_at is null;
create index project_clones_finished on private.project_clones (finished_at);

create type public.project_clone as (
  id uuid,
  source_id uuid,
  status text,
  code text,
  messages integer,
  total_messages integer,
  files integer,
  total_files integer,
  started_at timestamptz,
  finished_at timestamptz,
  project jsonb,
  replayed boolean
);
comment on type public.project_clone is
  'A clone: status is copying, complete or failed, and code says why it failed. messages and files count what has been copied; the totals are estimates until it is complete. project is null until then';

create function private.to_project_clone(clone private.project_clones, replayed boolean default false)
returns public.project_clone
language plpgsql stable set search_path = ''
as $$
begin
  return row(clone.id, clone.source_id, clone.status, clone.code, clone.messages, clone.total_messages, clone.files,
    clone.total_files, clone.started_at, clone.finished_at,
    (select to_jsonb(p) from public.projects as p
      where p.id = clone.id and p.user_id = clone.user_id and p.status <> 'cloning'),
    to_project_clone.replayed)::public.project_clone;
end $$;
revoke all on function private.to_project_clone(private.project_clones, boolean)
  from public, anon, authenticated, service_role;

-- Copying -------------------------------------------------------------------------------------------

-- Returns a project that a user may clone. It takes no lock, so the project's writers do not wait for a clone.
-- Raises: PT404 project_not_found; PT409 project_deleted, project_cloning.
create function private.clone_source(user_id uuid, project_id uuid)
returns public.projects
language plpgsql stable set search_path = ''
as $$
declare
  v_project public.projects;
begin
  select p.* into v_project from public.projects as p
  where p.id = clone_source.project_id
    and (private.writes_project(p, clone_source.user_id) or p.is_public and p.deleted_at is null);
  if not found then
    raise exception 'There is no project "%"', project_id using errcode = 'PT404', detail = 'project_not_found';
  end if;
  perform private.refuse_unavailable_project(v_project);
  return v_project;
end $$;
revoke all on function private.clone_source(uuid, uuid) from public, anon, authenticated, service_role;

-- Copies the records of the next files into a clone, at most as many as given, in the order of their ids. Returns the
-- clone with how far it has come.
create function private.copy_project_files(clone private.project_clones, most integer)
returns private.project_clones
language plpgsql volatile set search_path = ''
as $$
declare
  v_ids uuid[] := array(
    select f.id from public.project_files as f
    where f.project_id = clone.source_id and f.id > clone.after_id order by f.id limit most);
  v_copied integer;
begin
  insert into public.project_files
    (project_id, file_name, storage_path, file_type, file_size, markdown_summary, uploaded_at)
  select clone.id, f.file_name, f.storage_path, f.file_type, f.file_size, f.markdown_summary, f.uploaded_at
  from public.project_files as f
  where f.id = any (v_ids) and f.created_at <= clone.started_at;
  get diagnostics v_copied = row_count;
  clone.files := clone.files + v_copied;
  clone.after_id := coalesce(v_ids[cardinality(v_ids)], clone.after_id);
  return clone;
end $$;
revoke all on function private.copy_project_files(private.project_clones, integer)
  from public, anon, authenticated, service_role;

-- Copies a portion into a clone whose row is locked: about as many messages and records as given, and for about two
-- seconds. When nothing is left, the clone is complete, and becomes visible. Returns the clone.
create function private.copy_portion(clone private.project_clones, most integer)
returns private.project_clones
language plpgsql volatile set search_path = ''
as $$
declare
  v_end timestamptz := clock_timestamp() + interval '2 seconds';
  v_before private.project_clones;
  v_left integer := most;
  v_step integer;
begin
  loop
    v_before := clone;
    -- Few enough that even the largest messages do not take long: a message can have 1 MiB.
    v_step := least(v_left, 10);
    case clone.stage
      when 'messages' then
        clone := private.copy_project_messages(clone, v_step);
      when 'files' then
        clone := private.copy_project_files(clone, v_step);
      when 'uploads' then
        clone := private.copy_project_uploads(clone, v_step);
      else
        update public.projects as p set status = 'active' where p.id = clone.id;
        clone.status := 'complete';
        clone.total_messages := clone.messages;
        clone.total_files := clone.files;
        clone.finished_at := clock_timestamp();
        exit;
    end case;
    if (clone.after_number, clone.after_id) = (v_before.after_number, v_before.after_id) then
      clone.after_id := '00000000-0000-0000-0000-000000000000';
      clone.stage := case
        when clone.stage = 'messages' and clone.total_files > 0 then 'files'
        when clone.stage = 'files' then 'uploads'
        else 'done' end;
    end if;
    v_left := v_left - (clone.messages - v_before.messages) - (clone.files - v_before.files);
    exit when v_left <= 0 or clock_timestamp() > v_end;
  end loop;
  clone.worked_at := clock_timestamp();
  update private.project_clones as c
  set status = clone.status, stage = clone.stage, after_number = clone.after_number, after_id = clone.after_id,
    messages = clone.messages, total_messages = clone.total_messages, files = clone.files,
    total_files = clone.total_files, worked_at = clone.worked_at, finished_at = clone.finished_at
  where c.id = clone.id;
  return clone;
end $$;
revoke all on function private.copy_portion(private.project_clones, integer) from public, anon, authenticated, service_role;

-- Removes a portion of what a failed clone has copied, whose row is locked: at most as many messages as given, for about
-- a second, and with the last of them the project. Returns the clone.
create function private.remove_portion(clone private.project_clones, most integer)
returns private.project_clones
language plpgsql volatile set search_path = ''
as $$
declare
  v_end timestamptz := clock_timestamp() + interval '1 second';
  -- Stays 0 in a product without messages.
  v_removed integer := 0;
begin
  v_removed := private.delete_project_messages(clone.id, most);
  clone.messages := greatest(clone.messages - v_removed, 0);
  if v_removed < most and clock_timestamp() < v_end then
    delete from public.projects as p where p.id = clone.id;
    clone.messages := 0;
    clone.files := 0;
    clone.finished_at := clock_timestamp();
  end if;
  clone.worked_at := clock_timestamp();
  update private.project_clones as c
  set messages = clone.messages, files = clone.files, worked_at = clone.worked_at, finished_at = clone.finished_at
  where c.id = clone.id;
  return clone;
end $$;
revoke all on function private.remove_portion(private.project_clones, integer)
  from public, anon, authenticated, service_role;

-- Continues a clone whose row is locked by a portion. When its source or the user's right to it has gone, or it cannot be
-- copied for another reason, the clone has failed, and what it has copied is removed. Returns the clone.
create function private.continue_clone(clone private.project_clones, most integer)
returns private.project_clones
language plpgsql volatile set search_path = ''
as $$
declare
  v_detail text;
begin
  if clone.status = 'copying' then
    begin
      if not private.is_cloning(clone.id) then
        raise exception 'The clone "%" has been deleted', clone.id using errcode = 'PT409', detail = 'clone_deleted';
      end if;
      perform private.clone_source(clone.user_id, clone.source_id);
      return private.copy_portion(clone, most);
    exception when others then
      -- Another transaction or the server was in the way: the portion is copied again later.
      if left(sqlstate, 2) in ('40', '53', '55', '57') then
        raise;
      end if;
      get stacked diagnostics v_detail = pg_exception_detail;
      clone.status := 'failed';
      clone.code := case when left(sqlstate, 2) = 'PT' then split_part(v_detail, ' ', 1) else 'internal_error' end;
      if left(sqlstate, 2) <> 'PT' then
        raise warning 'Clone "%" has failed: % (%)', clone.id, sqlerrm, sqlstate;
      end if;
      update private.project_clones as c set status = clone.status, code = clone.code where c.id = clone.id;
    end;
  end if;
  return private.remove_portion(clone, most);
end $$;
revoke all on function private.continue_clone(private.project_clones, integer)
  from public, anon, authenticated, service_role;

-- Continues the clones that have waited longest, with about as many messages and records as given, and for about two
-- seconds. Clones in use are left to whoever uses them, and so are those of an account that is being deleted. Returns how
-- many of them have finished, and whether there are more.
create function private.continue_clones(most integer, out finished integer, out more boolean)
language plpgsql volatile set search_path = ''
as $$
declare
  v_end timestamptz := clock_timestamp() + interval '2 seconds';
  v_clone private.project_clones;
  v_after private.project_clones;
  v_left integer := most;
begin
  finished := 0;
  more := false;
  for v_clone in
    select c.* from private.project_clones as c join auth.users as u on u.id = c.user_id
    where c.finished_at is null
    order by c.worked_at
    limit most
    for key share of u skip locked
    for update of c skip locked
  loop
    v_after := private.continue_clone(v_clone, v_left);
    finished := finished + case when v_after.finished_at is null then 0 else 1 end;
    v_left := v_left - abs(v_after.messages - v_clone.messages) - abs(v_after.files - v_clone.files) - 1;
    more := v_after.finished_at is null or v_left <= 0;
    exit when more or clock_timestamp() > v_end;
  end loop;
  more := more or clock_timestamp() > v_end;
end $$;
revoke all on function private.continue_clones(integer) from public, anon, authenticated, service_role;

-- Requests ------------------------------------------------------------------------------------------

-- Makes sure that a user may begin another clone.
-- Raises: PT429 too_many_clones {most}.
create function private.check_clone_limits(user_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
declare
  v_at_once integer := private.setting('projects.clones_at_once');
  v_per_day integer := private.setting('projects.clones_per_day');
  v_copying integer := (select count(*) from private.project_clones as c
    where c.user_id = check_clone_limits.user_id and c.status = 'copying');
  v_begun integer := (select count(*) from private.project_clones as c
    where c.user_id = check_clone_limits.user_id and c.started_at > now() - interval '1 day');
begin
  if v_copying >= v_at_once then
    raise exception 'You have % clones that are still being copied: at most % are allowed at the same time', v_copying, v_at_once
      using errcode = 'PT429', detail = format('too_many_clones %s', jsonb_build_object('most', v_at_once)),
        hint = 'Wait until one of them is complete';
  end if;
  if v_begun >= v_per_day then
    raise exception 'You have begun % clones in the last 24 hours: at most % are allowed', v_begun, v_per_day
      using errcode = 'PT429', detail = format('too_many_clones %s', jsonb_build_object('most', v_per_day)),
        hint = 'Try again tomorrow';
  end if;
end $$;
revoke all on function private.check_clone_limits(uuid) from public, anon, authenticated, service_role;

-- Begins to clone a project that a user may read into one of their own, private and without a team. title has 1 to 500
-- characters; null takes that of the project. with_messages copies the messages that the project has now, except drafts.
-- with_files copies the records of the files and of complete uploads, which then refer to the same objects: only the owner
-- of the project may, because nobody else can open them. A small project is copied at once, and a larger one in portions
-- by the cleanup; until then nobody sees the clone. What is changed or deleted in the source meanwhile may be copied as it
-- was or as it is; what is added is not copied. actor, user or service, is who makes the request. Returns the clone; a
-- repeat returns it as it is now.
-- Definer: not even the service may call the private functions that it needs. For the service only, which has verified
-- user_id.
-- Raises: PT400 invalid_idempotency_key; PT403 files_of_another; PT404 project_not_found; PT409 project_deleted,
-- project_cloning; PT410 clone_deleted; PT422 invalid_title, idempotency_key_reused; PT429 too_many_clones {most}.
create function public.clone_project(
  user_id uuid,
  project_id uuid,
  title text default null,
  with_messages boolean default true,
  with_files boolean default false,
  idempotency_key text default null,
  actor text default 'service'
)
returns public.project_clone
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_array('clone', project_id, title, with_messages, with_files);
  v_first jsonb;
  v_source public.projects;
  v_clone private.project_clones;
  v_files integer;
begin
  if char_length(clone_project.title) not between 1 and 500 or clone_project.title ~ '^\s*$' then
    raise exception 'A title must be 1 to 500 characters long and must not be blank'
      using errcode = 'PT422', detail = 'invalid_title';
  end if;
  if with_messages is null or with_files is null then
    raise exception 'with_messages and with_files must each be true or false'
      using errcode = 'PT422', detail = 'invalid_title';
  end if;
  -- The user's clones begin one after the other, so that a repeat finds the first one and the limits are exact.
  perform pg_advisory_xact_lock(hashtextextended('clone:' || clone_project.user_id, 0));
  v_first := private.first_response(clone_project.user_id, clone_project.actor, idempotency_key, v_request);
  if v_first is not null then
    select c.* into v_clone from private.project_clones as c
    where c.id = (v_first ->> 'id')::uuid and c.user_id = clone_project.user_id
      and (c.status <> 'complete' or exists (
        select 1 from public.projects as p where p.id = c.id and p.user_id = c.user_id));
    if not found then
      raise exception 'The clone that this idempotency key began has been deleted'
        using errcode = 'PT410', detail = 'clone_deleted', hint = 'Clone the project again, with a new idempotency key';
    end if;
    return private.to_project_clone(v_clone, true);
  end if;

  v_source := private.clone_source(clone_project.user_id, project_id);
  if with_files and v_source.user_id <> clone_project.user_id then
    raise exception 'Only the owner of project "%" can clone its files', project_id
      using errcode = 'PT403', detail = 'files_of_another', hint = 'Clone the project without files';
  end if;
  perform private.check_clone_limits(clone_project.user_id);

  insert into public.projects as p (user_id, title, description, template_id, metadata, system_prompt, status)
  values (clone_project.user_id, coalesce(clone_project.title, v_source.title), v_source.description,
    v_source.template_id, v_source.metadata, v_source.system_prompt, 'cloning')
  returning p.id into v_clone.id;
  if with_messages then
    v_clone.last_number := private.newest_project_message(v_source.id);
    v_clone.total_messages := private.count_project_messages(v_source.id);
  end if;
  if with_files then
    v_clone.total_files := (select count(*) from public.project_files as f where f.project_id = v_source.id);
    v_files := private.count_project_uploads(v_source.id);
    v_clone.total_files := v_clone.total_files + coalesce(v_files, 0);
  end if;
  insert into private.project_clones as c (id, user_id, source_id, stage, last_number, total_messages, total_files)
  values (v_clone.id, clone_project.user_id, v_source.id,
    case when with_messages then 'messages' when with_files then 'files' else 'done' end, v_clone.last_number, coalesce(v_clone.total_messages, 0), coalesce(v_clone.total_files, 0))
  returning c.* into v_clone;
  perform private.keep_response(clone_project.user_id, clone_project.actor, idempotency_key, v_request,
    jsonb_build_object('id', v_clone.id));
  v_clone := private.copy_portion(v_clone, private.setting('projects.clone_portion')::integer);
  return private.to_project_clone(v_clone);
end $$;
revoke all on function public.clone_project(uuid, uuid, text, boolean, boolean, text, text)
  from public, anon, authenticated;
grant execute on function public.clone_project(uuid, uuid, text, boolean, boolean, text, text) to service_role;

-- Returns a clone that a user has begun, and how far it has come. A finished one is known for as long as an idempotency
-- key.
-- Definer: no role may read the table. For the service only, which has verified user_id.
-- Raises: PT404 clone_not_found.
create function public.get_project_clone(user_id uuid, clone_id uuid)
returns public.project_clone
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_clone private.project_clones;
begin
  select c.* into v_clone from private.project_clones as c
  where c.id = clone_id and c.user_id = get_project_clone.user_id;
  if not found then
    raise exception 'There is no clone "%"', clone_id using errcode = 'PT404', detail = 'clone_not_found';
  end if;
  return private.to_project_clone(v_clone);
end $$;
revoke all on function public.get_project_clone(uuid, uuid) from public, anon, authenticated;
grant execute on function public.get_project_clone(uuid, uuid) to service_role;

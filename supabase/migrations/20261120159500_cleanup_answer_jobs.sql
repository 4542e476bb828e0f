-- The cleanup jobs of answers, like those of cleanup_jobs.

insert into private.cleanup_jobs (name, schedule, batch_size, description) values
  ('abandoned_answers', '* * * * *', 200, 'Ends answers whose function was killed, and charges for what is stored of them'),
  ('old_answers', '52 3 * * *', 5000, 'Deletes the records of old answers');

-- abandoned_answers ---------------------------------------------------------------------------------

create view private.abandoned_answers as
  select a.id, a.created_at from public.answers as a
  where a.state = 'running' and a.created_at <= now() - private.retention('answers.silence') and private.is_abandoned(a);
revoke all on private.abandoned_answers from public, anon, authenticated, service_role;

-- An answer that cannot be settled keeps no other waiting: it is reported, and tried again the next time.
create function private.cleanup_abandoned_answers(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
  v_failed uuid[] := array(select jsonb_array_elements_text(job.next_after -> 'failed')::uuid);
  v_id uuid;
begin
  if dry_run then
    select count(*) into v_result.rows from private.abandoned_answers;
    return v_result;
  end if;
  for v_id in
    select a.id from private.abandoned_answers as a
    where a.id <> all (v_failed)
    order by a.created_at
    limit job.batch_size
  loop
    begin
      perform private.settle_answer(v_id);
    exception when others then
      v_failed := v_failed || v_id;
      v_result.report := coalesce(v_result.report, '[]')
        || jsonb_build_object('answer_id', v_id, 'error', sqlerrm, 'code', sqlstate);
    end;
    v_result.rows := v_result.rows + 1;
  end loop;
  v_result.more := v_result.rows = job.batch_size;
  if v_result.more and v_failed <> array[]::uuid[] then
    v_result.next_after := jsonb_build_object('failed', to_jsonb(v_failed));
  end if;
  return v_result;
end $$;
revoke all on function private.cleanup_abandoned_answers(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

-- old_answers ---------------------------------------------------------------------------------------

create view private.old_answers as
  select a.id, a.ended_at from public.answers as a where a.ended_at <= now() - private.retention('answers.retention');
revoke all on private.old_answers from public, anon, authenticated, service_role;

create function private.cleanup_old_answers(job private.cleanup_jobs, dry_run boolean)
returns private.cleanup_result
language plpgsql volatile set search_path = ''
as $$
declare
  v_result private.cleanup_result := row(0, 0, false, null, null);
begin
  if dry_run then
    select count(*) into v_result.rows from private.old_answers;
    return v_result;
  end if;
  delete from public.answers as a
  where a.id = any (array(
    select x.id from private.old_answers as x order by x.ended_at limit job.batch_size for update skip locked));
  get diagnostics v_result.rows = row_count;
  v_result.more := v_result.rows = job.batch_size;
  return v_result;
end $$;
revoke all on function private.cleanup_old_answers(private.cleanup_jobs, boolean)
  from public, anon, authenticated, service_role;

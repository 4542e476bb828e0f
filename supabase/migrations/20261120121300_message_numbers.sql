-- The numbers of messages in a project that a client gives itself.

-- Checks a number that the project does not have yet. A number may leave out others, but of the last 2 * batch_size numbers
-- up to it, at most batch_size may be unused. So a number is at most one batch ahead of the newest, and a member cannot use
-- up the numbers of a project without saving at least a third as many messages. A clone keeps the numbers of its source.
-- Raises: PT422 too_many_messages {most}, invalid_sequence_number {newest}.
create function private.check_sequence_number(project_id uuid, sequence_number integer)
returns void
language plpgsql stable set search_path = ''
as $$
declare
  v_most numeric := private.setting('messages.per_project');
  v_batch integer := private.setting('messages.batch_size');
  v_newest integer;
  v_window integer := least(2 * v_batch, check_sequence_number.sequence_number + 1::bigint);
  v_used integer;
begin
  if private.is_cloning(check_sequence_number.project_id) then
    return;
  end if;
  if check_sequence_number.sequence_number >= v_most then
    raise exception 'Sequence number % is too high: a project can have at most % messages',
      check_sequence_number.sequence_number, v_most
      using errcode = 'PT422', detail = format('too_many_messages %s', jsonb_build_object('most', v_most)),
        hint = 'Continue in another project';
  end if;
  v_newest := (select max(m.sequence_number) from public.messages as m
    where m.project_id = check_sequence_number.project_id);
  if check_sequence_number.sequence_number <= v_newest then
    return;
  end if;
  v_used := 1 + (select count(*) from public.messages as m
    where m.project_id = check_sequence_number.project_id
      and m.sequence_number > check_sequence_number.sequence_number - v_window);
  if v_window - v_used > v_batch then
    raise exception 'Sequence number % leaves out too many numbers: the newest in the project is %',
      check_sequence_number.sequence_number, coalesce(v_newest::text, 'none')
      using errcode = 'PT422', detail = format('invalid_sequence_number %s', jsonb_build_object('newest', v_newest)),
        hint = 'Leave sequence_number out to take the next number';
  end if;
end $$;
revoke all on function private.check_sequence_number(uuid, integer) from public, anon, authenticated, service_role;

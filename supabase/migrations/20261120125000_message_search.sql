-- Full-text search in messages.

create index messages_search on public.messages using gin (to_tsvector('english', content::text));

-- Does the work of its namesake in public. It searches the caller's conversations, their projects and those of their
-- teams, which its condition states in place of the policies.
-- Definer: row level security keeps the index from being used, as its operator is not leakproof.
create function private.search_messages(query text, before timestamptz, page_size integer)
returns table (
  id uuid, conversation_id uuid, project_id uuid, role text, content jsonb, sequence_number integer, snippet text,
  rank real, created_at timestamptz
)
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_query tsquery := websearch_to_tsquery('english', query);
  v_conversations uuid[];
  v_projects uuid[];
begin
  if query is null or char_length(query) > 1000 or query ~ '^\s*$' then
    raise exception 'query must be 1 to 1000 characters long and must not be blank'
      using errcode = 'PT422', detail = 'invalid_query';
  end if;
  if page_size is null or page_size not between 1 and 100 then
    raise exception 'limit must be a number from 1 to 100' using errcode = 'PT422', detail = 'invalid_limit';
  end if;
  v_conversations := array(select c.id from public.conversations as c where c.user_id = (select private.my_account()));
  v_projects := array(select p.id from public.projects as p
    where (p.user_id = (select private.my_account()) or p.team_id = any (array(select private.my_team_ids())))
      and p.deleted_at is null and p.status <> 'cloning');
  return query
    select f.id, f.conversation_id, f.project_id, f.role::text, f.content, f.sequence_number,
      -- Escaped, so that only the marks are HTML.
      ts_headline('english', replace(replace(replace(private.message_text(f.content), '&', '&amp;'), '<', '&lt;'), '>', '&gt;'),
        v_query, 'StartSel=<mark>, StopSel=</mark>, MaxWords=35, MinWords=15, MaxFragments=2, FragmentDelimiter=" … "'),
      f.rank, f.created_at
    from (
      select m.*, ts_rank_cd(to_tsvector('english', m.content::text), v_query) as rank
      from public.messages as m
      where to_tsvector('english', m.content::text) @@ v_query
        and (m.conversation_id = any (v_conversations) or m.project_id = any (v_projects))
        and (before is null or m.created_at < before)
      order by rank desc, m.created_at desc, m.id
      limit page_size
    ) as f
    order by f.rank desc, f.created_at desc, f.id;
end $$;
revoke all on function private.search_messages(text, timestamptz, integer)
  from public, anon, authenticated, service_role;
grant execute on function private.search_messages(text, timestamptz, integer) to authenticated, service_role;

-- Searches the messages of the caller's conversations, their projects and those of their teams, and returns the best
-- matches first, then the newest. query, 1 to 1000 characters, may have words, "a phrase", or, and -excluded. before
-- returns only older messages; limit is 1 to 100. The snippet is HTML: the words found are in <mark>, and everything
-- else is escaped.
-- Raises: PT422 invalid_query, invalid_limit.
create function public.search_messages(query text, before timestamptz default null, "limit" integer default 20)
returns table (
  id uuid, conversation_id uuid, project_id uuid, role text, content jsonb, sequence_number integer, snippet text,
  rank real, created_at timestamptz
)
language sql stable set search_path = ''
as $$
  select * from private.search_messages(query, before, "limit")
$$;
revoke all on function public.search_messages(text, timestamptz, integer) from public, anon, authenticated, service_role;
grant execute on function public.search_messages(text, timestamptz, integer) to authenticated, service_role;

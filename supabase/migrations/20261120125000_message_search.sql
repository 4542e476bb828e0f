-- Full-text search in messages: English words by their stems, other words as they are written, without regard to accents,
-- and Chinese, Japanese and Korean, which have no spaces between words, by pairs of characters.

-- Text --------------------------------------------------------------------------------------------------

-- The functions that the index calls are called as the user who writes a message, so clients may execute them.

-- Returns all text in a content, at most its first 65,536 characters: that bounds what a message costs the index.
create function private.search_text(content jsonb)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
  if jsonb_typeof(content) = 'string' then
    return left(content #>> '{}', 65536);
  end if;
  return left(coalesce((
    select string_agg(s.value #>> '{}', ' ' order by s.ordinality)
    from jsonb_path_query(content, 'strict $.** ? (@.type() == "string")') with ordinality as s (value, ordinality)),
    ''), 65536);
end $$;
revoke all on function private.search_text(jsonb) from public, anon, authenticated, service_role;
grant execute on function private.search_text(jsonb) to authenticated, service_role;

-- Returns a text in lower case and without accents, and its full-width and half-width characters as ordinary ones.
create function private.fold_text(value text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
  if octet_length(value) = char_length(value) then
    return lower(value);
  end if;
  return translate(lower(normalize(regexp_replace(normalize(value, nfd), '[\u0300-\u036f]', '', 'g'), nfkc)),
    'øłđħŧıæœß', 'oldhtiaos');
end $$;
revoke all on function private.fold_text(text) from public, anon, authenticated, service_role;
grant execute on function private.fold_text(text) to authenticated, service_role;

-- Returns the runs of Chinese, Japanese and Korean characters in a folded text, with a space between them; with others, all
-- that is not such a run.
create function private.cjk_runs(value text, others boolean default false)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
  v_class constant text :=
    '\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\U00020000-\U0003134f';
begin
  if octet_length(value) = char_length(value) then
    return case when others then value else '' end;
  end if;
  return btrim(regexp_replace(value, format(case when others then '[%s]+' else '[^%s]+' end, v_class), ' ', 'g'));
end $$;
revoke all on function private.cjk_runs(text, boolean) from public, anon, authenticated, service_role;
grant execute on function private.cjk_runs(text, boolean) to authenticated, service_role;

-- Returns the pairs of neighbours in runs of characters.
create function private.cjk_pairs(runs text)
returns text[]
language sql immutable parallel safe set search_path = ''
as $$
  select string_to_array(btrim(regexp_replace(
    regexp_replace(runs, '([^ ]{2})', '\1 ', 'g') || ' '
      || regexp_replace(regexp_replace(runs, '(^| )[^ ]', ' ', 'g'), '([^ ]{2})', '\1 ', 'g'),
    '(^| )[^ ]?(?= |$)', '', 'g')), ' ')
$$;
revoke all on function private.cjk_pairs(text) from public, anon, authenticated, service_role;
grant execute on function private.cjk_pairs(text) to authenticated, service_role;

-- The words of a message, each pair of its Chinese, Japanese and Korean characters and each of these characters, and two
-- marks that no text has: its owner and its project. With the marks, the index finds the words of one user without
-- reading those of others. Its cost makes the planner use the index rather than compute it for many rows.
create function private.search_vector(content jsonb, user_id uuid, project_id uuid)
returns tsvector
language plpgsql immutable parallel safe cost 10000 set search_path = ''
as $$
declare
  v_text text := private.fold_text(private.search_text(content));
  v_runs text := private.cjk_runs(v_text);
  v_marks tsvector := array_to_tsvector(array_remove(array[E'\x01u' || user_id, E'\x01p' || project_id], null));
begin
  if v_runs <> '' then
    v_marks := v_marks || array_to_tsvector(
      private.cjk_pairs(v_runs) || string_to_array(replace(v_runs, ' ', ''), null));
    v_text := private.cjk_runs(v_text, others => true);
  end if;
  return to_tsvector('english', v_text) || v_marks;
end $$;
revoke all on function private.search_vector(jsonb, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function private.search_vector(jsonb, uuid, uuid) to authenticated, service_role;

-- A draft is found once it is finished: each piece that is added to it would otherwise be indexed again.
create index messages_search on public.messages using gin (private.search_vector(content, user_id, project_id))
  where status <> 'streaming';

-- Queries -----------------------------------------------------------------------------------------------

-- Returns what a user has typed as a query: words, "a phrase", or, -excluded. A run of Chinese, Japanese or Korean
-- characters stands for all pairs in it.
create function private.search_query(query text)
returns tsquery
language plpgsql immutable set search_path = ''
as $$
declare
  v_text text := private.fold_text(query);
  v_query tsquery;
  v_run record;
begin
  if private.cjk_runs(v_text) = '' then
    return websearch_to_tsquery('english', v_text);
  end if;
  -- Each run is parsed as a word that nobody writes.
  for v_run in
    select r.value, format('zqcjk%szq', r.ordinality) as word
    from unnest(string_to_array(private.cjk_runs(v_text), ' ')) with ordinality as r (value, ordinality)
    order by char_length(r.value) desc, r.ordinality
  loop
    v_text := replace(v_text, v_run.value, ' ' || v_run.word || ' ');
  end loop;
  -- An excluded word follows its minus without a space.
  v_query := regexp_replace(websearch_to_tsquery('english', regexp_replace(v_text, '(^|\s)- +', '\1-', 'g'))::text,
    '<(-|\d+)>', '&', 'g')::tsquery;
  for v_run in
    select r.value, format('zqcjk%szq', r.ordinality) as word
    from unnest(string_to_array(private.cjk_runs(private.fold_text(query)), ' ')) with ordinality as r (value, ordinality)
  loop
    v_query := ts_rewrite(v_query, quote_literal(v_run.word)::tsquery, (
      select string_agg(quote_literal(p.value), ' & ')
      from unnest(case char_length(v_run.value) when 1 then array[v_run.value]
        else private.cjk_pairs(v_run.value) end) as p (value)
    )::tsquery);
  end loop;
  return v_query;
end $$;
revoke all on function private.search_query(text) from public, anon, authenticated, service_role;

-- Returns a part of a text around what was found, as HTML: that is in <mark>, and everything else is escaped. typed is the
-- query as the user typed it.
create function private.search_snippet(value text, query tsquery, typed text)
returns text
language plpgsql immutable set search_path = ''
as $$
declare
  v_text text := normalize(value, nfkc);
  v_runs text[] := string_to_array(private.cjk_runs(private.fold_text(typed)), ' ');
  v_run text;
  v_accented tsquery;
begin
  foreach v_run in array v_runs loop
    if strpos(v_text, v_run) > 0 then
      v_text := substring(v_text from greatest(strpos(v_text, v_run) - 40, 1) for 160);
      exit;
    end if;
  end loop;
  v_text := replace(replace(replace(v_text, '&', '&amp;'), '<', '&lt;'), '>', '&gt;');
  if exists (select 1 from unnest(v_runs) as r where strpos(v_text, r) > 0) then
    foreach v_run in array v_runs loop
      v_text := replace(v_text, v_run, '<mark>' || v_run || '</mark>');
    end loop;
    return v_text;
  end if;
  -- Words with accents are marked where a word of the query is the same without them.
  if octet_length(v_text) <> char_length(v_text) then
    select string_agg(plainto_tsquery('english', w.value)::text, ' | ')::tsquery into v_accented
    from (select distinct m[1] as value from regexp_matches(v_text, '(\w*[^\u0001-\u007f\W]\w*)', 'g') as m limit 1000) as w
    where exists (
      select 1 from unnest(tsvector_to_array(to_tsvector('english', private.fold_text(w.value)))) as l
      where strpos(query::text, quote_literal(l)) > 0)
      and numnode(plainto_tsquery('english', w.value)) > 0;
  end if;
  return ts_headline('english', v_text, coalesce(query || v_accented, query),
    'StartSel=<mark>, StopSel=</mark>, MaxWords=35, MinWords=15, MaxFragments=2, FragmentDelimiter=" … "');
end $$;
revoke all on function private.search_snippet(text, tsquery, text) from public, anon, authenticated, service_role;

-- Searching ---------------------------------------------------------------------------------------------

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
  v_user_id uuid := private.my_account();
  v_query tsquery;
  v_projects uuid[];
  v_marks tsquery;
  v_candidates integer := private.setting('messages.search_candidates');
begin
  if query is null or char_length(query) > 1000 or query ~ '^\s*$' then
    raise exception 'query must be 1 to 1000 characters long and must not be blank'
      using errcode = 'PT422', detail = 'invalid_query';
  end if;
  if page_size is null or page_size not between 1 and 100 then
    raise exception 'limit must be a number from 1 to 100' using errcode = 'PT422', detail = 'invalid_limit';
  end if;
  v_query := private.search_query(query);
  -- Nothing but words such as "the", which are not searched for.
  if v_user_id is null or numnode(v_query) = 0 then
    return;
  end if;
  v_projects := array(
    select p.id from public.projects as p
    where p.team_id = any (array(select private.my_team_ids())) and p.user_id <> v_user_id and p.deleted_at is null
      and p.status <> 'cloning'
    order by p.updated_at desc
    limit private.setting('messages.search_team_projects'));
  select string_agg(quote_literal(m.mark), ' | ')::tsquery into v_marks
  from (select E'\x01u' || v_user_id union all select E'\x01p' || p from unnest(v_projects) as p) as m (mark);
  return query
    -- Materialized: otherwise the planner may look for common words from the newest message on, one by one.
    with found as materialized (
      select m.id, m.project_id, m.created_at from public.messages as m
      where private.search_vector(m.content, m.user_id, m.project_id) @@ (v_query && v_marks) and m.status <> 'streaming'
        and (m.user_id = v_user_id or m.project_id = any (v_projects))
        and (before is null or m.created_at < before)
    ), candidates as materialized (
      select f.id from found as f
      where f.project_id is null
        or f.project_id in (select p.id from public.projects as p
          where p.user_id = v_user_id and p.deleted_at is null and p.status <> 'cloning')
        or f.project_id = any (v_projects)
      order by f.created_at desc, f.id
      limit v_candidates
    ), best as materialized (
      select m.*, ts_rank_cd(to_tsvector('english', private.fold_text(private.search_text(m.content))), v_query) as rank
      from candidates as c
      join public.messages as m on m.id = c.id
      order by rank desc, m.created_at desc, m.id
      limit page_size
    )
    select b.id, b.conversation_id, b.project_id, b.role::text, b.content, b.sequence_number,
      private.search_snippet(private.search_text(b.content), v_query, query), b.rank, b.created_at
    from best as b
    order by b.rank desc, b.created_at desc, b.id;
end $$;
revoke all on function private.search_messages(text, timestamptz, integer)
  from public, anon, authenticated, service_role;
grant execute on function private.search_messages(text, timestamptz, integer) to authenticated, service_role;

-- Searches the messages of the caller's conversations, their projects and those of their teams. Of the newest matches,
-- as many as the setting messages.search_candidates says, it returns the best first, then the newest. query, 1 to 1000
-- characters, may have words, "a phrase", or, and -excluded. before returns only older messages; limit is 1 to 100. The
-- snippet is HTML: the words found are in <mark>, and everything else is escaped.
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

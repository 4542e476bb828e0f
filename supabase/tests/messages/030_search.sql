-- search_messages: what the caller may see, the best first, with a snippet that is safe in a page.

begin;
select no_plan();
alter default privileges grant execute on functions to public;
select tests.create_user(name) from unnest(array['owner', 'member', 'stranger']) as name;
create function pg_temp.id(name text) returns uuid language sql immutable as $$ select md5('search ' || name)::uuid $$;
insert into teams (id, name) values (pg_temp.id('team'), 'T');
insert into team_members (team_id, user_id, role) values
  (pg_temp.id('team'), tests.user_id('owner'), 'owner'), (pg_temp.id('team'), tests.user_id('member'), 'member');
insert into projects (id, user_id, team_id, title, is_public) values (pg_temp.id('project'), tests.user_id('owner'), pg_temp.id('team'), 'P', false),
  (pg_temp.id('public'), tests.user_id('stranger'), null, 'Q', true), (pg_temp.id('gone'), tests.user_id('owner'), null, 'G', false);
insert into conversations (id, user_id) values (pg_temp.id('conversation'), tests.user_id('owner'));
select save_messages(tests.user_id('owner'), '[{"role": "user", "content": "The zebra crosses <b>the</b> road & rests"},
  {"role": "assistant", "content": {"type": "text", "text": "A zebra is a zebra, and zebras run"}}, {"role": "user", "content": "Nothing of the kind"}]', pg_temp.id('project'));
select save_messages(tests.user_id('owner'), '[{"role": "user", "content": "One zebra among many other words that are here only to make the text longer than it was"}]', null, pg_temp.id('conversation')::text);
select save_messages(tests.user_id('stranger'), '[{"role": "user", "content": "zebra of a stranger"}]', pg_temp.id('public'));
select save_messages(tests.user_id('owner'), '[{"role": "user", "content": "zebra in a deleted project"}]', pg_temp.id('gone'));
update projects set status = 'deleted' where id = pg_temp.id('gone');

select tests.authenticate_as('owner');
select results_eq($$ select role, conversation_id is null from search_messages('zebra') $$,
  $$ values ('assistant', true), ('user', false), ('user', true) $$, 'the best first, then the newest, of both kinds, of what is mine');
select results_eq($$ select snippet from search_messages('zebra road') $$,
  $$ values ('<mark>zebra</mark> crosses &lt;b&gt;the&lt;/b&gt; <mark>road</mark> &amp; rests') $$, 'the snippet marks and escapes');
select is((select count(*) from search_messages('zebra', "limit" => 1)), 1::bigint, 'as many as asked for');
select is((select count(*) from search_messages('zebra', now() - interval '1 hour')), 0::bigint, 'before a time');
select is((select count(*) from search_messages('zebra', (select created_at from messages where conversation_id = pg_temp.id('conversation')))),
  (select count(*) from messages m where m.project_id = pg_temp.id('project') and m.content::text like '%zebra%'
    and m.created_at < (select created_at from messages where conversation_id = pg_temp.id('conversation'))), 'which is not in it');
select is((select count(*) from search_messages('"zebra crosses" or nothing')), 2::bigint, 'phrases and or');
select is((select count(*) from search_messages('zebra -road')), 2::bigint, 'and not');
select is((select count(*) from search_messages('''; drop table & | ( !')), 0::bigint, 'nothing that is typed is an error');
select is(tests.refusal(format('select * from search_messages(%s)', t.arguments)), t.code, t.arguments)
from (values ($$ '' $$, 'PT422 invalid_query'), ($$ '  ' $$, 'PT422 invalid_query'), ($$ null $$, 'PT422 invalid_query'),
  ($$ repeat('x', 1001) $$, 'PT422 invalid_query'), ($$ 'x', "limit" => 0 $$, 'PT422 invalid_limit'), ($$ 'x', "limit" => 101 $$, 'PT422 invalid_limit')) as t (arguments, code);
select tests.authenticate_as('member');
select is((select count(*) from search_messages('zebra')), 2::bigint, 'a member finds what is in the team''s project');
select tests.authenticate_as('stranger');
select is((select count(*) from search_messages('zebra')), 1::bigint, 'a stranger what is theirs');
select tests.authenticate_as_anon();
select throws_ok($$ select * from search_messages('zebra') $$, '42501', null, 'a visitor searches nothing');
select tests.clear_authentication();

create function pg_temp.explain(query text) returns setof text language plpgsql as $$
begin
  return query execute 'explain ' || query;
end $$;
set local enable_seqscan = off;
select matches((select string_agg(line, ' ') from pg_temp.explain(
  $$ select m.id from messages m where to_tsvector('english', m.content::text) @@ to_tsquery('english', 'zebra') $$) as line),
  'messages_search', 'the documented query has an index');

select * from finish();
rollback;

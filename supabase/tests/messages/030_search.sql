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
insert into conversations (id, user_id) values (pg_temp.id('draft'), tests.user_id('owner'));
insert into messages (conversation_id, role, content, status) values (pg_temp.id('draft'), 'assistant', '"zebra draft"', 'streaming');

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
  $$ select m.id from messages m where private.search_vector(m.content, m.user_id, m.project_id) @@ 'zebra'
    and m.status <> 'streaming' $$) as line),
  'messages_search', 'the search has an index');

-- languages ---------------------------------------------------------------------------------------------------------
create temp table texts (language text, content jsonb, found text[], missed text[], marked text);
insert into texts values
  ('Chinese', '"我昨天在东京都看到了一只猫"', '{东京,东京都,猫,一只猫,看到,"东京 猫","\"一只猫\"",我 -狗}', '{北京,东猫,狗,猫 -东京}', '<mark>东京</mark>'),
  ('Japanese', '[{"type": "text", "text": "京都のﾗｰﾒﾝは美味しいです。"}, {"type": "text", "text": "また来ます"}]',
    '{京都,ラーメン,美味しい,また来ます}', '{東京,ラーメソ}', '<mark>京都</mark>'),
  ('Korean', '{"text": "서울에서 맛있는 김치를 먹었어요"}', '{서울,김치,먹었어요,맛있는 서울}', '{부산,김밥}', '<mark>서울</mark>'),
  ('French', '"Nous étions au café près de l''Élysée"', '{café,cafe,CAFÉ,etions,elysee,"\"au cafe\""}', '{cafetiere}', '<mark>café</mark>'),
  ('German', '"Die Größe der Straße in Köln"', '{grose,koln,Köln}', '{kolner dom}', null),
  ('Vietnamese', '"Tôi thích phở Hà Nội"', '{pho,"ha noi",PHỞ}', '{bun}', '<mark>phở</mark>'),
  ('Polish', '"Łódź jest piękna"', '{lodz,Łódź,piekna}', '{wroclaw}', '<mark>Łódź</mark>'),
  ('mixed', '"Ｈｅｌｌｏ 世界, this is ChatGPT说"', '{hello,世界,chatgpt,ChatGPT说,"hello 世界"}', '{界世}', '<mark>Hello</mark>');
select save_messages(tests.user_id('owner'), jsonb_build_array(jsonb_build_object('role', 'user', 'content', content)),
  conversation_id => pg_temp.id('conversation')::text) from texts;
grant select on texts to authenticated;
select tests.authenticate_as('owner');
select is((select count(*) from search_messages(q) as s where s.content = t.content), 1::bigint, format('%s: %s is found', language, q))
from texts as t, unnest(t.found) as q;
select is((select count(*) from search_messages(q) as s where s.content = t.content), 0::bigint, format('%s: %s is not', language, q))
from texts as t, unnest(t.missed) as q;
select matches((select string_agg(s.snippet, '') from search_messages(t.found[1]) as s where s.content = t.content), t.marked,
  language || ': what was found is marked') from texts as t where t.marked is not null;
select tests.clear_authentication();

-- bounds ------------------------------------------------------------------------------------------------------------
update private.settings set value = 100 where name = 'messages.search_candidates';
insert into messages (conversation_id, role, content, created_at)
select pg_temp.id('conversation'), 'user', to_jsonb('giraffe' || repeat(' giraffe', case when n = 1 then 9 else 0 end)),
  now() - n * interval '1 minute' from generate_series(1, 150) as n;
insert into messages (conversation_id, role, content, created_at)
values (pg_temp.id('conversation'), 'user', to_jsonb(repeat('giraffe ', 50)), now() - interval '1 year');
select tests.authenticate_as('owner');
select is((select array_agg(s.content::text like '%giraffe giraffe%') from search_messages('giraffe', "limit" => 2) as s), '{t,f}'::boolean[],
  'the best of the newest matches come first, older ones are not compared');
select is((select count(*) from search_messages('giraffe', "limit" => 100)), 100::bigint, 'as many as are compared');
select is((select count(*) from search_messages('giraffe', now() - interval '150 minutes')), 1::bigint, 'older ones are found before a time');
select tests.clear_authentication();
select lives_ok($$ insert into messages (conversation_id, role, content)
  select pg_temp.id('conversation'), 'user', to_jsonb(string_agg(chr(19968 + n % 20000), '')) from generate_series(1, 80000) as n $$,
  'a message as long as it may be is indexed');

select * from finish();
rollback;

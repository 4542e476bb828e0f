-- Similarity search, where the extension vector is to be had.

begin;
select plan(5);
select tests.create_user(name) from unnest(array['owner', 'other']) as name;

create function pg_temp.try_vectors() returns setof text language plpgsql as $$
begin
  if to_regclass('public.code_embeddings') is null then
    return next skip('the extension vector is not available', 5);
    return;
  end if;
  execute $sql$
    insert into code_embeddings (user_id, content, embedding)
    select tests.user_id(u.name), u.name || ' ' || n, array_fill(n::real, array[1535]) || 1::real
    from (values ('owner'), ('other')) as u (name) cross join generate_series(0, 3) as n
  $sql$;
  perform tests.authenticate_as('owner');
  return next results_eq(
    $q$ select content from code_embeddings
      order by embedding operator(extensions.<=>) (array_fill(2::real, array[1535]) || 1::real)::extensions.vector
      limit 2 $q$,
    $q$ values ('owner 2'), ('owner 3') $q$, 'the nearest come first, and only one''s own');
  return next lives_ok(
    $q$ insert into code_embeddings (user_id, content) values ((select auth.uid()), 'to be embedded later') $q$,
    'code is stored before it is embedded');
  return next throws_ok(
    $q$ insert into code_embeddings (user_id, content, embedding) values ((select auth.uid()), 'x', '[1, 2]') $q$,
    '22000', null, 'a vector has 1536 dimensions');
  return next throws_ok(
    $q$ insert into code_embeddings (user_id, content) values ((select auth.uid()), '') $q$,
    '23514', null, 'there is something to embed');
  perform tests.clear_authentication();
  return next has_index('public', 'code_embeddings', 'idx_code_embeddings_embedding', 'the search has its index');
end $$;
grant execute on function pg_temp.try_vectors() to public;
select * from pg_temp.try_vectors();

select * from finish();
rollback;

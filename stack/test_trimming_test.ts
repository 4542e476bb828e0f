import assert from "node:assert/strict";

import { namesIn, trimTests } from "./test_trimming.ts";

const BOOKS = `create table public.books (id uuid);
create index books_id on public.books (id);
create view public.sold as select 1 as book;
create function private.sell(book uuid) returns void language sql as '';
insert into private.bucket_rules (bucket_id, path) values ('covers', 'x');`;

const TESTS = `begin;
select plan(4);
insert into books values (1);
create function pg_temp.all_books() returns bigint language sql as 'select count(*) from books';
select is(pg_temp.all_books(), 1::bigint, 'one');
select bag_eq($$ select 1 $$, $$ values ('books', 'books_id'),
    -- Those of films.
    ('films', 'It''s (a) title') $$, 'the indexes');
select is(f, true, f) from unnest(array['private.sell(uuid)', 'private.rent(uuid)']) as f;
insert into objects values ('covers', 'ü'), ('posters', 'é');

-- books: of the shop ------------------------------------------------------------------------------
select ok(true, 'a test that names none of them');

-- films -------------------------------------------------------------------------------------------
select ok(true, 'films');
select * from finish();
rollback;
`;

Deno.test("tests that name a removed object are removed, and the rest stays unchanged", async () => {
  assert.deepEqual(await namesIn([BOOKS]), {
    relations: ["books", "sold"],
    functions: ["sell"],
    values: ["books_id", "covers"],
  });
  assert.equal(
    await trimTests(TESTS, ["books"], await namesIn([BOOKS])),
    `begin;
select no_plan();
select bag_eq($$ select 1 $$, $$ values 
    -- Those of films.
    ('films', 'It''s (a) title') $$, 'the indexes');
select is(f, true, f) from unnest(array[ 'private.rent(uuid)']) as f;
insert into objects values  ('posters', 'é');

-- films -------------------------------------------------------------------------------------------
select ok(true, 'films');
select * from finish();
rollback;
`,
  );
});

Deno.test("a file that names no removed object does not change", async () => {
  assert.equal(
    await trimTests(TESTS, ["cars"], await namesIn(["create table cars (id int);"])),
    TESTS,
  );
});

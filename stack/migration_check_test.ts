import assert from "node:assert/strict";

import { findFaults } from "./migration_check.ts";

const BOOKS = `create table public.books (id uuid primary key);
alter table public.books enable row level security;
revoke all on public.books from public;
comment on column public.books.id is 'Of the shop';
create function public.sell(book uuid, price numeric(15, 4) default 1) returns public.books language sql as $$
  select null::public.books $$;
revoke all on function public.sell(uuid, numeric) from public;
comment on function public.sell(uuid, numeric) is 'Sells';
create view public.sold as select 1 as book;
create policy "all read" on public.books for select using (true);
`;

const files = (...texts: string[]) => texts.map((text, i) => ({ file: `${i + 1}.sql`, text }));

Deno.test("a migration that defines its objects once, or adds a reference later, has no faults", async () => {
  assert.deepEqual(
    await findFaults(files(
      BOOKS,
      `create table public.loans (id uuid primary key, book uuid);
create index loans_book on public.loans (book);
create function public.sell(book uuid) returns void language sql as '';
alter table public.books add column loan uuid,
  add constraint books_loan_fkey foreign key (loan) references public.loans (id);`,
    )),
    [],
  );
});

Deno.test("a second definition, a change from another file and a long file are each found", async () => {
  const cases = [
    ["create table public.books (no int);", "table public.books is already defined in 1.sql"],
    [
      "create view public.sold as select 2 as book;",
      "view public.sold is already defined in 1.sql",
    ],
    [
      "create or replace function public.sell(a uuid, b numeric, out c int) language sql as '';",
      "contains create or replace function public.sell(uuid, pg_catalog.numeric); write create",
    ],
    [
      `create policy "all read" on public.books for select using (false);`,
      `policy "all read" on public.books is already defined in 1.sql`,
    ],
    [
      "alter table public.books add column title text;",
      "alters table public.books, which 1.sql defines",
    ],
    [
      "grant select on public.sold to anon;",
      "grants or revokes on view public.sold, which 1.sql defines",
    ],
    [
      "comment on table public.books is 'Books';",
      "comments on table public.books, which 1.sql defines",
    ],
    [
      "grant execute on function public.sell(uuid, numeric) to anon;",
      "grants or revokes on function public.sell(uuid, pg_catalog.numeric), which 1.sql defines",
    ],
    [
      "drop function public.sell(uuid, numeric);",
      "contains the statement drop, which changes an earlier definition",
    ],
    [
      'alter policy "all read" on public.books using (false);',
      "contains the statement alter policy, which changes an earlier definition",
    ],
    [
      "update public.books set id = id;",
      "contains the statement update, which changes an earlier definition",
    ],
    ["select 1;\n".repeat(601), "601 lines; at most 600 are allowed"],
  ] as const;
  for (const [sql, fault] of cases) {
    assert.equal((await findFaults(files(BOOKS, sql)))[0], `2.sql: ${fault}`);
  }
});

-- Moving in: how far the import of a product has come, and what of it does not fit. The command deno task import writes
-- these tables, in the transaction of what it copies, so that it can be interrupted at any time and repeated.

create table private.imports (
  product text not null,
  step text not null,
  source text not null,
  position text,
  rows bigint not null default 0,
  bytes bigint not null default 0,
  digest numeric not null default 0,
  done boolean not null default false,
  started_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (product, step),
  constraint imports_product_check check (product ~ '^[a-z]+$'),
  constraint imports_rows_check check (rows >= 0)
);
comment on table private.imports is
  'How far each table of a product has been imported. The row of the step check is done when everything fits';
comment on column private.imports.source is 'What is imported: without the password, if it is a database';
comment on column private.imports.position is
  'The key of the last row that was read from a database, or its number in a file';
comment on column private.imports.rows is 'How many rows were read';
comment on column private.imports.bytes is 'The bytes of the objects that were copied';
comment on column private.imports.digest is 'The checksum of the objects that were copied, as they were read';
revoke all on private.imports from public, anon, authenticated, service_role;

create trigger imports_updated_at before update on private.imports
  for each row execute function public.handle_updated_at();

create table private.import_refusals (
  product text not null,
  step text not null,
  position text not null,
  key text,
  problem text not null,
  message text not null,
  created_at timestamptz not null default now(),
  primary key (product, step, position)
);
comment on table private.import_refusals is 'Rows of a product that do not fit and were left out of its import';
comment on column private.import_refusals.key is 'The id of the row in its product';
comment on column private.import_refusals.problem is 'The column or constraint, and what is wrong';
revoke all on private.import_refusals from public, anon, authenticated, service_role;

-- Credit units: what an account counts. Credits, unless something else is named: images, minutes, GPU seconds.

create table public.credit_units (
  unit text primary key,
  description text,
  created_at timestamptz not null default now(),
  constraint credit_units_unit_check check (unit ~ '^[a-z][a-z0-9_]{0,49}$'),
  constraint credit_units_description_check check (char_length(description) between 1 and 500)
);
comment on table public.credit_units is
  'What accounts, prices and grants can count. The operator adds units; one that accounts may have is never removed';
comment on column public.credit_units.unit is 'Its name, as requests write it: credits, images, gpu_seconds';

insert into public.credit_units (unit, description) values ('credits', 'What is meant when no unit is named');

alter table public.credit_units enable row level security;
revoke all on public.credit_units from public, anon, authenticated, service_role;
grant select on public.credit_units to authenticated, service_role;
grant insert (unit, description), update (description) on public.credit_units to service_role;

-- True for everyone: the names are in the price list.
create policy "signed-in users read the units" on public.credit_units
  for select to authenticated using (true);

-- Checks that a unit is known.
-- Raises: PT422 unknown_unit.
create function private.require_credit_unit(unit text)
returns void
language plpgsql stable set search_path = ''
as $$
begin
  if not exists (select from public.credit_units as u where u.unit = require_credit_unit.unit) then
    raise exception 'There is no unit "%"', unit using errcode = 'PT422', detail = 'unknown_unit',
      hint = 'Use a unit from the table credit_units, or leave it out for credits';
  end if;
end $$;
revoke all on function private.require_credit_unit(text) from public, anon, authenticated, service_role;

-- Refuses a charge that would mix two units: nothing converts one into another.
-- Raises: PT422 unit_mismatch {unit, other}.
create function private.refuse_unit(unit text, other text)
returns void
language plpgsql stable set search_path = ''
as $$
begin
  raise exception 'Cannot mix % and % in one request', unit, other
    using errcode = 'PT422', detail = format('unit_mismatch %s', jsonb_build_object('unit', unit, 'other', other)),
      hint = 'Make one request for each unit; if you name a unit, it must be that of the prices';
end $$;
revoke all on function private.refuse_unit(text, text) from public, anon, authenticated, service_role;

-- Copies the staged rows one by one, and returns those that do not fit. Here and not in the client, because a batch can
-- have many of them. statement copies the rows with numbers from $1 to $2; here says whether the row $1 is here already,
-- with the same content; columns and their values tell what PostgreSQL does not: which value has the wrong form.
create or replace function pg_temp.copy_rows(statement text, here text, columns text[], column_values text[])
returns table (number integer, state text, place text, message text, detail text)
language plpgsql as $$
declare
  v_constraint text;
  v_column text;
  v_here boolean;
begin
  for number in select s._number from pg_temp.staged as s order by s._number loop
    begin
      execute statement using number, number;
      set constraints all immediate;
      continue;
    exception when others then
      get stacked diagnostics state = returned_sqlstate, message = message_text, detail = pg_exception_detail,
        v_constraint = constraint_name, v_column = column_name;
      -- Anything else is not the fault of the row.
      if state !~ '^(22|23|54|PT|P0001)' then
        raise;
      end if;
    end;
    begin
      execute here into v_here using number;
      continue when v_here;
    exception when data_exception then
      null;
    end;
    place := coalesce(nullif(v_constraint, ''), nullif(v_column, ''));
    if place is null then
      for i in 1 .. coalesce(cardinality(columns), 0) loop
        begin
          execute format('select (%s)::text from pg_temp.staged as s where s._number = $1', column_values[i]) using number;
        exception when data_exception then
          place := columns[i];
          exit;
        end;
      end loop;
    end if;
    return next;
  end loop;
end $$

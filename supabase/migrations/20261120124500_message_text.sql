-- The content of messages as text: Wbot's documents have a TEXT column, and its queries use like and ilike. jsonb has
-- neither, so these operators have no other meaning. The content of a message with parts is matched as it is written in JSON.

create function private.jsonb_like(value jsonb, pattern text)
returns boolean
language sql immutable strict parallel safe set search_path = ''
as $$ select (value #>> '{}') like pattern $$;
comment on function private.jsonb_like(jsonb, text) is 'Whether a JSON string, or else the JSON text, is like a pattern';
revoke all on function private.jsonb_like(jsonb, text) from public, anon, authenticated, service_role;
grant execute on function private.jsonb_like(jsonb, text) to authenticated, service_role;

create function private.jsonb_ilike(value jsonb, pattern text)
returns boolean
language sql immutable strict parallel safe set search_path = ''
as $$ select (value #>> '{}') ilike pattern $$;
comment on function private.jsonb_ilike(jsonb, text) is 'As jsonb_like, without regard to case';
revoke all on function private.jsonb_ilike(jsonb, text) from public, anon, authenticated, service_role;
grant execute on function private.jsonb_ilike(jsonb, text) to authenticated, service_role;

create operator public.~~ (leftarg = jsonb, rightarg = text, function = private.jsonb_like);
create operator public.~~* (leftarg = jsonb, rightarg = text, function = private.jsonb_ilike);

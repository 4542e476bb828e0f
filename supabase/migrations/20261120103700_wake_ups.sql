-- Wake-ups: the database tells the listeners of a private Realtime topic what has changed, and never what it says. Each
-- user has a topic, and so has each team; migrations of other subjects add topics and the triggers that wake them.

-- Sends a wake-up when the transaction commits. Does nothing where there is no Realtime, as in a self-hosted project
-- without it. A wake-up that cannot be sent is lost with a warning: it fails no transaction.
create function private.wake(topic text, event text, payload jsonb)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if to_regprocedure('realtime.send(jsonb, text, text, boolean)') is not null then
    perform realtime.send(payload, event, topic, true);
  end if;
end $$;
revoke all on function private.wake(text, text, jsonb) from public, anon, authenticated, service_role;

-- Realtime asks this policy when a client joins, and when its token changes. Nobody but the database sends.
do $$
begin
  if to_regclass('realtime.messages') is not null then
    create policy "users listen to their own topic and those of their teams" on realtime.messages
      for select to authenticated
      using (extension = 'broadcast' and topic = (select realtime.topic()) and (select private.my_account()) is not null
        and ((select realtime.topic()) = 'user:' || (select auth.uid())
          or (select realtime.topic()) = any (array(select 'team:' || t.id from private.my_team_ids() as t (id)))));
  end if;
end $$;

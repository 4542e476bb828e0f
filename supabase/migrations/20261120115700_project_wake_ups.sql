-- Wake-ups of projects: each project has a topic, for its owner and the members of its team.

do $$
begin
  if to_regclass('realtime.messages') is not null then
    create policy "owners of a project, and members of its team, listen to its topic" on realtime.messages
      for select to authenticated
      using (extension = 'broadcast' and topic = (select realtime.topic()) and (select private.my_account()) is not null
        and ((select realtime.topic()) = any (array(
            select 'project:' || p.id from public.projects as p where p.user_id = (select auth.uid())))
          or (select realtime.topic()) = any (array(
            select 'project:' || p.id from private.my_team_project_ids() as p (id)))));
  end if;
end $$;

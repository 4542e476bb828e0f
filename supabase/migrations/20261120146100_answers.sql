-- Answers: what a model was asked, what that cost, and what it is saying at this moment. The text is in messages once it is
-- final; of an ephemeral answer, nothing but numbers is stored.

insert into private.settings (name, value, unit, minimum, maximum, description) values
  ('answers.at_once', 5, 'answers', 1, 10000, 'The most answers of a user that run at the same time'),
  ('answers.per_minute', 60, 'answers', 1, 1000000, 'The most answers that a user may begin in 60 seconds'),
  ('answers.longest', 16384, 'tokens', 1, 10000000, 'The longest answer, if neither the request nor the model wants a shorter one'),
  ('answers.steps', 5, 'steps', 1, 50, 'The most steps of an answer in which the server runs tools'),
  ('answers.total_time', 140, 'seconds', 5, 3600, 'How long an answer may take: less than the function may run'),
  ('answers.idle_time', 30, 'seconds', 1, 3600, 'How long a provider may send nothing before its answer is ended'),
  ('answers.silence', 30, 'seconds', 5, 3600,
    'An answer of which its function has stored nothing for this long is abandoned: it is settled for what is stored'),
  ('answers.retention', 7776000, 'seconds', 3600, 3153600000, 'How long the record of an answer is kept (90 days)');

-- answers -------------------------------------------------------------------------------------------

create table public.answers (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.profiles (id) on delete cascade,
  conversation_id uuid references public.conversations (id) on delete set null,
  project_id uuid references public.projects (id) on delete set null,
  -- No foreign keys: a message may go, and what it cost stays.
  question_id uuid,
  message_id uuid,
  first_part integer not null default 0,
  model text not null,
  prices jsonb not null,
  state text not null default 'running',
  stop_requested boolean not null default false,
  ephemeral boolean not null default false,
  attempts integer not null default 0,
  hold_id uuid,
  held numeric(15, 4) not null default 0,
  credits numeric(15, 4),
  input_tokens bigint not null,
  cached_input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  reasoning_tokens bigint not null default 0,
  usage_source text,
  finish_reason text,
  error text,
  approvals jsonb,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  constraint answers_state_check check (state in ('running', 'complete', 'stopped', 'failed', 'abandoned')),
  constraint answers_usage_source_check check (usage_source in ('provider', 'counted')),
  constraint answers_ended_check check ((state = 'running') = (ended_at is null))
);
comment on table public.answers is 'Answers of models: their state, usage and price. Only functions write them';
comment on column public.answers.user_id is 'Who asked';
comment on column public.answers.question_id is 'The message that is answered';
comment on column public.answers.message_id is 'The message that the answer is written into';
comment on column public.answers.first_part is 'How many parts the message had before: those of earlier steps';
comment on column public.answers.prices is
  'The prices when the answer began, in credits for a million tokens: {input, cached_input, output, reasoning}';
comment on column public.answers.held is 'The most that the answer was expected to cost';
comment on column public.answers.credits is 'What was charged';
comment on column public.answers.input_tokens is 'While the answer runs, an estimate';
comment on column public.answers.approvals is
  'Calls of the server''s tools that wait for approval: the id of each, with a digest of what was to be run';
comment on column public.answers.usage_source is 'Who counted the tokens: the provider, or the server (counted)';

create index answers_user_id on public.answers (user_id, created_at);
create index answers_conversation_id on public.answers (conversation_id, created_at);
create index answers_project_id on public.answers (project_id, user_id, created_at);
create index answers_question_id on public.answers (question_id);
create index answers_message_id on public.answers (message_id);
create index answers_running on public.answers (created_at) where state = 'running';
create index answers_running_user_id on public.answers (user_id) where state = 'running';
create index answers_ended_at on public.answers (ended_at);

alter table public.answers enable row level security;
revoke all on public.answers from public, anon, authenticated, service_role;
grant select on public.answers to authenticated, service_role;

create policy "a deleted account has no access" on public.answers
  as restrictive for all to authenticated using ((select private.my_account()) is not null);
create policy "users read their own answers" on public.answers
  for select to authenticated using (user_id = (select auth.uid()));

insert into private.account_rows (name, place, statement) values
  ('answers', 40, 'delete from public.answers where ctid = any (array(
    select ctid from public.answers where user_id = $1 limit $2))');

-- answer_parts --------------------------------------------------------------------------------------

create table public.answer_parts (
  answer_id uuid not null references public.answers (id) on delete cascade,
  number integer not null,
  user_id uuid not null,
  pieces jsonb not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  written_at timestamptz not null default clock_timestamp(),
  primary key (answer_id, number)
);
comment on table public.answer_parts is
  'The text of running answers so far. Deleted when the answer ends, because its message then has all of it';
comment on column public.answer_parts.number is 'Position in the answer, from 0';
comment on column public.answer_parts.pieces is
  'A list of {part, type, text ...}: text that continues part number part of the message. Empty: a sign of life';
comment on column public.answer_parts.output_tokens is 'How many tokens the server has counted up to here';

alter table public.answer_parts enable row level security;
revoke all on public.answer_parts from public, anon, authenticated, service_role;
grant select on public.answer_parts to authenticated, service_role;

create policy "a deleted account has no access" on public.answer_parts
  as restrictive for all to authenticated using ((select private.my_account()) is not null);
create policy "users read the parts of their own answers" on public.answer_parts
  for select to authenticated using (user_id = (select auth.uid()));

-- replaced_messages ---------------------------------------------------------------------------------

create table public.replaced_messages (
  id uuid primary key default gen_random_uuid(),
  message_id uuid not null,
  parent_id uuid,
  user_id uuid not null,
  conversation_id uuid references public.conversations (id) on delete cascade,
  project_id uuid references public.projects (id) on delete cascade,
  role public.message_role_enum not null,
  content jsonb not null,
  object_data jsonb,
  result_data jsonb,
  metadata jsonb not null,
  sequence_number integer,
  status text not null,
  client_id text,
  created_at timestamptz not null,
  replaced_at timestamptz not null default now(),
  constraint replaced_messages_one_parent_check check (num_nonnulls(conversation_id, project_id) = 1)
);
comment on table public.replaced_messages is
  'Messages that an edit or a new answer took out of the conversation or project: the branches that are not shown by default';
comment on column public.replaced_messages.message_id is 'The id that the message had';
comment on column public.replaced_messages.parent_id is
  'The message before it in its branch: a message, or a message_id here; null for the first of the conversation or project';
comment on column public.replaced_messages.user_id is 'The owner of the conversation or project';

create index replaced_messages_user_id on public.replaced_messages (user_id, replaced_at);
create index replaced_messages_conversation_id on public.replaced_messages (conversation_id, created_at);
create index replaced_messages_project_id on public.replaced_messages (project_id, created_at);

alter table public.replaced_messages enable row level security;
revoke all on public.replaced_messages from public, anon, authenticated, service_role;
grant select, delete on public.replaced_messages to authenticated, service_role;

create policy "a deleted account has no access" on public.replaced_messages
  as restrictive for all to authenticated using ((select private.my_account()) is not null);
create policy "users read replaced messages of what is theirs and their teams'" on public.replaced_messages
  for select to authenticated
  using (user_id = (select auth.uid()) or project_id = any (array(select private.my_team_project_ids())));
create policy "users delete replaced messages of what is theirs" on public.replaced_messages
  for delete to authenticated using (user_id = (select auth.uid()));

insert into private.account_rows (name, place, statement) values
  ('replaced_messages', 10, 'delete from public.replaced_messages where ctid = any (array(
    select ctid from public.replaced_messages where user_id = $1 limit $2))');

select private.limit_table('public.replaced_messages', rows => 1000000, bytes => 2147483648);

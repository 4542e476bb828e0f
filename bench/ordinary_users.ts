/**
 * Users who do what users of a chat app do, over HTTP. How long it takes them is what the benchmarks of heavy neighbours
 * compare.
 *
 * @module
 */

import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import type { Sql } from "postgres";

/** How many take turns, and pause between requests: together, they would otherwise send more than a user may. */
export const USERS = 8;
const PAUSE_MS = 20;

/** A user who is signed in. */
export interface Person {
  id: string;
  client: SupabaseClient;
}

/** A user with a public project and a conversation. */
export interface User extends Person {
  project: string;
  conversation: string;
}

/** Sends a request to a function; refusals are what a hostile account gets. */
export function invoke(
  { client }: Person,
  path: string,
  body: unknown,
  method: "POST" | "PUT" = "POST",
) {
  return client.functions.invoke(path, { method, body: body as Record<string, unknown> });
}

/** Signs up a user. */
export async function signUp(url: string, key: string): Promise<Person> {
  const client = createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
  const { data, error } = await client.auth.signUp({
    email: `${crypto.randomUUID()}@example.com`,
    password: "correct horse battery",
  });
  if (error || !data.user) throw error ?? new Error("Sign-up returned no user");
  return { id: data.user.id, client };
}

/** Adds a project with messages. */
export async function addProject(
  sql: Sql,
  id: string,
  owner: string,
  messages: number,
  isPublic: boolean,
): Promise<void> {
  await sql`insert into projects (id, user_id, title, is_public) values (${id}, ${owner}, 'P', ${isPublic})`;
  await sql`insert into messages (project_id, role, content, sequence_number)
    select ${id}, 'user', to_jsonb('common word ' || n), n from generate_series(1, ${messages}::int) as n`;
}

/** Gives a user a public project and a conversation. */
export async function addUser(sql: Sql, person: Person): Promise<User> {
  const user = { ...person, project: crypto.randomUUID(), conversation: crypto.randomUUID() };
  await addProject(sql, user.project, user.id, 100, true);
  await sql`insert into conversations (id, user_id, title) values (${user.conversation}, ${user.id}, 'Mine')`;
  return user;
}

/** One round of a user's requests. Returns the time of each in milliseconds. */
export async function live(user: User): Promise<number[]> {
  const message = { role: "user", content: "Good morning" };
  const requests: (() => PromiseLike<{ error: unknown }>)[] = [
    () => invoke(user, `conversations/${user.conversation}/messages`, message),
    () => invoke(user, `projects/${user.project}/messages`, message),
    () =>
      user.client.from("messages").select("*").eq("project_id", user.project)
        .order("sequence_number", { ascending: false }).limit(20),
    () => user.client.from("conversations").select("id, title").order("updated_at").limit(20),
  ];
  const times: number[] = [];
  for (const request of requests) {
    const start = performance.now();
    const { error } = await request();
    times.push(performance.now() - start);
    if (error) throw error;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return times;
}

/** The value below which a share of the values lies: 0.5 is their median. */
export function percentile(values: number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? NaN;
}

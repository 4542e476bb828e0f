/**
 * What the tests of exports share.
 *
 * @module
 */

import { invoke, serviceClient, type TestUser, withDatabase } from "../_testing/testing.ts";
import { envelope } from "../_testing/envelope.ts";

export const start = (user: TestUser) => invoke(user.client, "account/export", { method: "POST" });
export const state = (user: TestUser) => invoke(user.client, "account/export");
export const remove = (user: TestUser) =>
  invoke(user.client, "account/export", { method: "DELETE" });

/** Gives a user messages, files and encrypted chats. */
export async function fill(
  user: TestUser,
  messages: number,
  files: number,
  chats: number,
): Promise<void> {
  // A nonce is used once.
  const sealed = Array.from({ length: chats }, () => envelope());
  await withDatabase(async (sql) => {
    const [conversation] =
      await sql`insert into conversations (user_id) values (${user.id}) returning id`;
    await sql`insert into messages (conversation_id, role, content, created_at)
      select ${conversation?.id}, 'user', to_jsonb('message ' || n), now() - n * interval '1 second'
      from generate_series(1, ${messages}) as n`;
    await sql`insert into encrypted_chats (id, user_id, encrypted_data)
      select gen_random_uuid(), ${user.id}, e from unnest(${sealed}::text[]) as e`;
  });
  for (let n = 0; n < files; n++) {
    const { error } = await serviceClient().storage.from("voice_recordings")
      .upload(`${user.id}/a/${n}.wav`, new Blob([`file ${n}`], { type: "audio/wav" }));
    if (error) throw error;
  }
}

/** What the catalog says that a user has: the ids of the rows of each table with a column that names the user. */
export function ownRows(user: TestUser): Promise<Map<string, number>> {
  return withDatabase(async (sql) => {
    const tables = await sql`select t.name, t.whose from private.account_tables as t
      join private.tables_of_users as u on u.name = t.name where t.left_out is null`;
    const counts = new Map<string, number>();
    for (const { name, whose } of tables) {
      const [row] = await sql.unsafe(
        `select count(*)::integer as rows from ${name} as t where ${whose}`.replaceAll(
          "$1",
          `'${user.id}'`,
        ),
      );
      if (row?.rows > 0) counts.set(name, row?.rows);
    }
    return counts;
  });
}

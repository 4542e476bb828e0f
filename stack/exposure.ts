/**
 * `deno task exposure`: writes what each role of the API may do as a sorted text. Reviews can read it, and a test
 * compares it with the database, so that a grant that changes by accident is noticed.
 *
 * @module
 */

import type { Sql, TransactionSql } from "postgres";

import { taskCommand, unknownArgument } from "./command.ts";
import { applyMigrations } from "./migrations.ts";
import { PROJECT_DIR } from "./options.ts";
import { connect } from "./postgres.ts";
import { noReport, say } from "./progress.ts";
import { withScratchDatabase } from "./scratch_database.ts";

/** Path of the text. */
export const EXPOSURE_FILE = `${PROJECT_DIR}/supabase/exposure.txt`;

const HEADER =
  `# What the roles of the API may do, before row level security narrows it: role x table x command x columns,
# role x function, and the rules of the buckets. Written by: deno task exposure
`;

/**
 * Reads the exposure of a database.
 *
 * @param sql A connection as postgres.
 */
export async function readExposure(sql: Sql | TransactionSql): Promise<string> {
  const rows = await sql`
    with role (name) as (values ('anon'), ('authenticated'), ('service_role')),
    command (name) as (values ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'),
      ('REFERENCES'), ('TRIGGER')),
    columns as (
      select r.name as role, c.oid, cmd.name as command, a.attname, a.attnum
      from role r cross join command cmd cross join pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
        and c.relkind in ('r', 'v', 'm', 'p') and cmd.name in ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
        and has_column_privilege(r.name, c.oid, a.attnum, cmd.name)
    )
    select format('table     %s  %s  %s  %s', c.oid::regclass, r.name, cmd.name, 'all columns') as line
    from role r cross join command cmd cross join pg_class c
    where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
      and c.relkind in ('r', 'v', 'm', 'p') and has_table_privilege(r.name, c.oid, cmd.name)
    union all
    select format('table     %s  %s  %s  %s', oid::regclass, role, command,
      string_agg(attname, ' ' order by attnum))
    from columns where not has_table_privilege(role, oid, command)
    group by oid, role, command
    union all
    select format('sequence  %s  %s  %s', c.oid::regclass, r.name, p.name)
    from role r cross join (values ('USAGE'), ('UPDATE')) as p (name) cross join pg_class c
    where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace) and c.relkind = 'S'
      and has_sequence_privilege(r.name, c.oid, p.name)
    union all
    select format('function  %s  %s', p.oid::regprocedure, r.name)
    from role r cross join pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      and has_function_privilege(r.name, p.oid, 'EXECUTE')
    union all
    select format('schema    %s  %s  %s', n.nspname, r.name, p.name)
    from role r cross join (values ('USAGE'), ('CREATE')) as p (name) cross join pg_namespace n
    where n.nspname in ('public', 'private') and has_schema_privilege(r.name, n.oid, p.name)
    union all
    select format('bucket    %s  %s  limit %s  %s', b.id, case when b.public then 'public' else 'private' end,
      coalesce(b.file_size_limit::text, 'none'),
      coalesce(array_to_string(b.allowed_mime_types, ' '), 'any type'))
    from storage.buckets b where b.id !~ '^test-'`;
  const lines = rows.map((row) => row.line as string).sort();
  return `${HEADER}\n${lines.join("\n")}\n`;
}

if (import.meta.main) {
  if (Deno.args.length > 0) {
    const unknown = unknownArgument(Deno.args, () => false);
    const help = `${taskCommand("exposure")} writes supabase/exposure.txt from the migrations.`;
    say(unknown ? `${unknown}. ${help}` : help);
    Deno.exit(unknown ? 2 : 0);
  }
  await withScratchDatabase(async (access) => {
    const sql = connect(access, "postgres");
    await applyMigrations(sql, noReport);
    await Deno.writeTextFile(EXPOSURE_FILE, await readExposure(sql));
    await sql.end();
  });
  say("Wrote supabase/exposure.txt. Review the changes with: git diff supabase/exposure.txt");
}

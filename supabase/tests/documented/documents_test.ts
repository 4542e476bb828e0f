import assert from "node:assert/strict";

import type { Sql } from "postgres";

import { test, withDatabase } from "../../functions/_testing/testing.ts";

/** One line of claims.tsv: what a document says of an object in the database. */
interface Claim {
  document: string;
  kind: string;
  object: string;
  says: string;
}

const read = (path: string) => Deno.readTextFileSync(new URL(path, import.meta.url));

function readClaims(): Claim[] {
  return read("claims.tsv").trim().split("\n").filter((line) => !line.startsWith("#"))
    .map((line) => {
      const [document = "", kind = "", object = "", says = ""] = line.split("\t");
      return { document, kind, object, says };
    });
}

/** The rows of the tables in docs/deviations.md that begin with a document and a kind. */
function readDeviations(): string[] {
  return read("../../../docs/deviations.md").split("\n").flatMap((line) => {
    const [document, object, says, here] = line.split("|").slice(1, -1).map((cell) =>
      cell.trim().replaceAll("`", "").replaceAll("\\", "")
    );
    const isRow = document && /^(chuk|wbot|codingit|sorar)$/.test(document);
    return isRow ? [`${document}: ${object}: ${says} -> ${here}`] : [];
  });
}

/** What the catalog has, for each kind of object. A query returns rows of object and value. */
const CATALOG: Record<string, string> = {
  table: `select relname as object, case relkind when 'v' then 'view' else '' end as value
    from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v')`,
  view: `select relname as object, '' as value
    from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v'`,
  column:
    `select attrelid::regclass || '.' || attname as object, format_type(atttypid, atttypmod) as value
    from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v') and attnum > 0 and not attisdropped`,
  null:
    `select attrelid::regclass || '.' || attname as object, case when attnotnull then 'no' else 'yes' end as value
    from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and attnum > 0 and not attisdropped`,
  default: `select adrelid::regclass || '.' || attname as object,
      regexp_replace(pg_get_expr(adbin, adrelid), '::[a-z_ ]+$', '') as value
    from pg_attrdef join pg_attribute on attrelid = adrelid and attnum = adnum
    where adrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)`,
  "primary key": `select conrelid::regclass || '.' || attname as object, '' as value
    from pg_constraint join pg_attribute on attrelid = conrelid and conkey = array[attnum] where contype = 'p'`,
  unique: `select indrelid::regclass || '.' || attname as object, '' as value
    from pg_index join pg_attribute on attrelid = indrelid and attnum = indkey[0]
    where indisunique and indnkeyatts = 1 and indpred is null`,
  // The owner comes first in a key of two columns: the second is the one that refers.
  "foreign key": `select conrelid::regclass || '.' || attname as object, '' as value
    from pg_constraint
    join pg_attribute on attrelid = conrelid and attnum = conkey[array_upper(conkey, 1)] where contype = 'f'`,
  references:
    `select conrelid::regclass || '.' || attname as object, confrelid::regclass::text as value
    from pg_constraint
    join pg_attribute on attrelid = conrelid and attnum = conkey[array_upper(conkey, 1)] where contype = 'f'`,
  constraint: `select conrelid::regclass || '.' || conname as object,
      case contype when 'p' then 'primary key' when 'f' then 'foreign key' when 'u' then 'unique' else 'check' end as value
    from pg_constraint where conrelid <> 0`,
  index: `select tablename || '.' || indexname as object,
      regexp_replace(regexp_replace(indexdef, '^.* USING btree ', ''), '^.* USING (gin|ivfflat|brin|hnsw)', 'using \\1') as value
    from pg_indexes where schemaname = 'public'`,
  policy: `select schemaname || '.' || tablename || ' ' || c.command as object, '' as value
    from pg_policies, lateral unnest(case pg_policies.cmd when 'ALL' then array['select', 'insert', 'update', 'delete', 'all']
      else array[lower(pg_policies.cmd)] end) as c (command)
    -- A restrictive policy allows nothing.
    where pg_policies.permissive = 'PERMISSIVE'`,
  enum:
    `select enumtypid::regtype::text as object, string_agg(enumlabel, ', ' order by enumsortorder) as value
    from pg_enum group by enumtypid`,
  trigger: `select n.nspname || '.' || relname || ' ' || tgname as object,
      case when tgtype & 2 > 0 then 'before' else 'after' end || ' '
        || case when tgtype & 4 > 0 then 'insert' else 'update' end || ' ' || tgfoid::regproc as value
    from pg_trigger join pg_class on pg_class.oid = tgrelid join pg_namespace as n on n.oid = relnamespace
    where not tgisinternal`,
  function:
    `select n.nspname || '.' || proname as object, coalesce(string_agg(a.name || ' ' || a.type::regtype, ', '
        order by a.place), '') as value
    from pg_proc join pg_namespace as n on n.oid = pronamespace
    left join unnest(proargnames, proargtypes::oid[]) with ordinality as a (name, type, place) on a.type is not null
    where n.nspname in ('public', 'auth', 'storage') group by pg_proc.oid, n.nspname, proname`,
  returns:
    `select n.nspname || '.' || proname as object, pg_get_function_result(pg_proc.oid) as value
    from pg_proc join pg_namespace as n on n.oid = pronamespace where n.nspname in ('public', 'auth', 'storage')`,
  rls: `select relname as object, '' as value from pg_class
    where relnamespace = 'public'::regnamespace and (relrowsecurity or reloptions @> array['security_invoker=true'])`,
  touched: `select attrelid::regclass::text as object, '' as value from pg_attribute
    where attname = 'updated_at' and attrelid in (select tgrelid from pg_trigger)`,
  realtime: `select tablename as object, '' as value from pg_publication_tables
    where pubname = 'supabase_realtime' and schemaname = 'public'`,
  bucket:
    `select id as object, case when public then 'public' else 'private' end as value from storage.buckets`,
  "bucket limit":
    `select id as object, coalesce(file_size_limit / 1048576 || ' MB', 'none') as value from storage.buckets`,
  "bucket types":
    `select id as object, coalesce(array_to_string(allowed_mime_types, ' '), 'all') as value from storage.buckets`,
};

/** Whether a bucket's types are of the families that a document names. */
function ofFamilies(types: string, families: string): boolean {
  return types === families ||
    families.split(", ").every((family) =>
      types.includes(family === "images" ? "image/" : family.toLowerCase())
    );
}

async function differences(sql: Sql): Promise<string[]> {
  const found = new Map<string, string[]>();
  for (const [kind, query] of Object.entries(CATALOG)) {
    for (const { object, value } of await sql.unsafe(query)) {
      const key = `${kind} ${object}`;
      found.set(key, [...found.get(key) ?? [], value]);
    }
  }
  return readClaims().flatMap(({ document, kind, object, says }) => {
    assert.ok(kind in CATALOG, `No query for the kind "${kind}"`);
    const values = found.get(`${kind} ${object}`) ?? [];
    const agrees = values.length > 0 && (says === "*" || values.includes(says) ||
      kind === "bucket types" && values.some((types) => ofFamilies(types, says)));
    if (agrees) return [];
    return [
      `${document}: ${kind} ${object}: ${says || "there"} -> ${
        values[0] || values.length && "another" || "none"
      }`,
    ];
  });
}

test("the catalog has what the documents say, or docs/deviations.md says what it has", () =>
  withDatabase(async (sql) => {
    assert.deepEqual((await differences(sql)).sort(), readDeviations().sort());
  }));

/**
 * Copies the objects in Storage, with their owners and times.
 *
 * @module
 */

import type { TransactionSql } from "postgres";

import type { Plan } from "./plan.ts";
import type { Problems } from "./problems.ts";
import type { Refusal } from "./refusals.ts";
import { batches } from "./source.ts";
import { stage } from "./staging.ts";
import { type Import, rowsOf, teller } from "./steps.ts";
import { isPlainPath, type ReadObject, type StoredObject, type WriteObject } from "./storage.ts";
import { type Content, copyObject, readContent } from "./transfers.ts";
import { type Comparison, toChecksum } from "./verify.ts";

/** The table of objects, and the name of the step. */
export const OBJECTS = "storage.objects";

/** Columns of objects that are read, if the product's Storage has them. */
const COLUMNS = [
  "id",
  "bucket_id",
  "name",
  "owner",
  "owner_id",
  "metadata",
  "user_metadata",
  "created_at",
  "updated_at",
  "last_accessed_at",
];

/** The most objects in a batch, and transfers at the same time. */
const BATCH = 50;
const TRANSFERS = 4;

/** Why an object with a name such as `..` is not copied. */
const NO_PATH = { problem: "name: not a path in a bucket", message: "The name is not a path" };

/** An object of the product. */
interface ListedObject extends StoredObject {
  position: string;
  key: string;
  size: number;
  owner: string | null;
}

/**
 * Plans the copying of objects.
 *
 * @param run The import.
 * @returns Undefined if the product has no objects.
 */
export async function planObjects({ source }: Pick<Import, "source">): Promise<Plan | undefined> {
  const has = await source.columns(OBJECTS);
  if (!has || !await source.hasRows(OBJECTS)) return undefined;
  return {
    step: { table: OBJECTS },
    target: OBJECTS,
    key: "id",
    targetKey: ["bucket_id", "name"],
    read: COLUMNS.filter((name) => has.includes(name)),
    write: [],
    fixed: [],
  };
}

/**
 * Finds objects that the buckets here do not take.
 *
 * @param run The import.
 * @param plan What {@link planObjects} returns.
 * @param problems Receives them.
 */
export async function checkObjects(run: Import, plan: Plan, problems: Problems): Promise<void> {
  const tell = teller(run, "Checking objects");
  for await (const batch of batches(rowsOf(run, plan), run.batchSize)) {
    await run.sql.begin(async (tx) => {
      await stage(tx, plan, batch);
      const rows = await tx.unsafe(`
        select s._position as position, s.id as key, s.bucket_id || '/' || s.name as message,
          case when not (s.bucket_id ~ '^[^/\\\\]+$' and s.bucket_id not in ('.', '..')
              and s.name !~ '(^|/)\\.{0,2}(/|$)' and s.name !~ '\\\\') then 'name: not a path in a bucket'
            when b.id is null then 'bucket_id: there is no such bucket'
            when (s.metadata::jsonb ->> 'size')::bigint > b.file_size_limit then 'size: larger than its bucket allows'
            else 'mimetype: its bucket does not accept this type' end as problem
        from pg_temp.staged as s left join storage.buckets as b on b.id = s.bucket_id
        where b.id is null or s.bucket_id !~ '^[^/\\\\]+$' or s.name ~ '(^|/)\\.{0,2}(/|$)' or s.name ~ '\\\\'
          or (s.metadata::jsonb ->> 'size')::bigint > b.file_size_limit
          or not exists (select 1 from unnest(coalesce(b.allowed_mime_types, '{"*/*"}')) as m (type)
            where s.metadata::jsonb ->> 'mimetype' like replace(m.type, '*', '%'))`);
      for (const row of rows) problems.add(OBJECTS, row as unknown as Refusal);
    });
    tell.count(batch.rows.length);
  }
  tell.end();
}

/**
 * Copies the objects that were not copied before.
 *
 * @param run The import.
 * @param plan What {@link planObjects} returns.
 * @param read Reads an object of the product.
 * @param write Writes it here.
 */
export async function copyObjects(
  run: Import,
  plan: Plan,
  { read, write }: { read: ReadObject; write: WriteObject },
): Promise<void> {
  const { sql, progress } = run;
  const state = await progress.read(sql, OBJECTS);
  if (state.done) return;
  const tell = teller(run, "Copying objects", state.rows);
  for await (
    const batch of batches(rowsOf(run, plan, state.position), Math.min(BATCH, run.batchSize))
  ) {
    const objects = await sql.begin(async (tx) => {
      await stage(tx, plan, batch);
      return await list(tx, plan);
    });
    const refusals: Refusal[] = [];
    await inParallel(objects, async (object) => {
      const copied = isPlainPath(object) ? await copyObject(object, read, write) : NO_PATH;
      if ("problem" in copied) {
        const { position, key, bucket, name } = object;
        const message = `${bucket}/${name}: ${copied.message}`;
        refusals.push({ position, key, problem: copied.problem, message });
        return;
      }
      // Before the sum is read: other transfers add to it meanwhile.
      const digest = await digestOf(object, copied);
      state.bytes = (state.bytes ?? 0) + copied.bytes;
      state.digest = (state.digest ?? 0n) + digest;
    });
    state.position = batch.rows.at(-1)?.position;
    state.rows += batch.rows.length;
    await sql.begin(async (tx) => {
      await stage(tx, plan, batch);
      await giveToOwners(tx, plan);
      await progress.refuse(tx, OBJECTS, refusals);
      await progress.save(tx, OBJECTS, state);
    });
    tell.count(batch.rows.length);
  }
  await progress.save(sql, OBJECTS, { ...state, done: true });
  tell.end();
}

/**
 * Reads all copied objects here, and compares their checksum with that of what was read from the product.
 *
 * @param run The import.
 * @param plan What {@link planObjects} returns.
 * @param read Reads an object here.
 */
export async function compareObjects(
  run: Import,
  plan: Plan,
  read: ReadObject,
): Promise<Comparison> {
  const { sql, progress } = run;
  const state = await progress.read(sql, OBJECTS);
  const target = { rows: 0, sum: 0n };
  let leftOut = 0;
  const tell = teller(run, "Comparing objects");
  for await (const batch of batches(rowsOf(run, plan), BATCH)) {
    const objects = await sql.begin(async (tx) => {
      await stage(tx, plan, batch);
      const refused = await tx`
        delete from pg_temp.staged as s using private.import_refusals as r
        where r.product = ${run.product.name} and r.step = ${OBJECTS} and r.position = s._position`;
      leftOut += refused.count;
      return await listHere(tx);
    });
    await inParallel(objects, async (object) => {
      const content = await readContent(object, read);
      if (!content) return;
      const digest = await digestOf(object, content);
      target.rows++;
      target.sum += digest;
    });
    tell.count(batch.rows.length);
  }
  tell.end();
  const source = { rows: state.rows - leftOut, sum: state.digest ?? 0n };
  return {
    table: OBJECTS,
    leftOut,
    source: { rows: source.rows, checksum: toChecksum(source.sum) },
    target: { rows: target.rows, checksum: toChecksum(target.sum) },
    equal: source.rows === target.rows && source.sum === target.sum,
  };
}

const FIELDS = `x.bucket_id as bucket, x.name, x.metadata::jsonb ->> 'mimetype' as "contentType",
  x.metadata::jsonb ->> 'cacheControl' as "cacheControl", (x.metadata::jsonb ->> 'size')::float8 as size`;

/** The owner of an object: older versions of Storage have it in another column. */
function ownerOf({ read }: Plan, row: string): string {
  const columns = ["owner_id", "owner"].filter((name) => read.includes(name));
  return columns.length === 0
    ? "null::text"
    : `coalesce(${columns.map((name) => `${row}.${name}::text`).join(", ")})`;
}

async function list(tx: TransactionSql, plan: Plan): Promise<ListedObject[]> {
  const rows = await tx.unsafe(`
    select x._position as position, x.id as key, ${ownerOf(plan, "x")} as owner, ${FIELDS}
    from pg_temp.staged as x order by x._number`);
  return rows.map((row) => row as unknown as ListedObject);
}

async function listHere(tx: TransactionSql): Promise<ListedObject[]> {
  const rows = await tx.unsafe(`
    select s._position as position, s.id as key, x.owner_id as owner, ${FIELDS}
    from pg_temp.staged as s join storage.objects as x on x.bucket_id = s.bucket_id and x.name = s.name`);
  return rows.map((row) => row as unknown as ListedObject);
}

/** The service has written the objects, now. */
async function giveToOwners(tx: TransactionSql, plan: Plan): Promise<void> {
  const owner = ownerOf(plan, "s");
  const kept = ["user_metadata", "created_at", "updated_at", "last_accessed_at"]
    .filter((name) => plan.read.includes(name))
    .map((name) => `${name} = s.${name}::${name === "user_metadata" ? "jsonb" : "timestamptz"}`);
  const sets = [`owner_id = ${owner}`, `owner = (${owner})::uuid`, ...kept];
  await tx.unsafe(`update storage.objects as o set ${sets.join(", ")}
    from pg_temp.staged as s where o.bucket_id = s.bucket_id and o.name = s.name`);
}

/** A digest of an object: bucket, name, owner, content type and bytes. */
async function digestOf(object: ListedObject, { sha256 }: Content): Promise<bigint> {
  const { bucket, name, owner, contentType } = object;
  const text = JSON.stringify([bucket, name, owner, contentType, sha256]);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new DataView(digest).getBigInt64(0);
}

async function inParallel<T>(items: T[], run: (item: T) => Promise<void>): Promise<void> {
  const pending = [...items];
  await Promise.all(Array.from({ length: TRANSFERS }, async () => {
    for (let item = pending.shift(); item !== undefined; item = pending.shift()) await run(item);
  }));
}

/**
 * What files cost: signing an upload with its reservation compared with signing alone, signing 1000 downloads in one
 * call compared with one call per path, reserving for users with more and more stored objects, writing objects with and
 * without the triggers that count and check them, and reading a shared object among very many others.
 *
 * Round trips are those of the client. The stack's Storage is `@supabase/lite`, whose adapter signs a list path by
 * path. That time is Storage's, and the reference takes the same.
 *
 * @module
 */

import { createClient } from "@supabase/supabase-js";

import { readOptions } from "../stack/options.ts";
import { freePorts } from "../stack/ports.ts";
import { connect } from "../stack/postgres.ts";
import { noReport, say } from "../stack/progress.ts";
import { startStack } from "../stack/stack.ts";
import { DURABLE, judge, SCALE } from "./throughput.ts";

const PATHS = Math.max(10, Math.round(1_000 * SCALE));
/** Stored objects of the users whose reservations are measured. */
const STORED = [0, 1_000, 10_000, 100_000].map((count) => Math.round(count * SCALE));
/** Runs of each piece of work. The median counts. */
const RUNS = Math.max(5, Math.round(51 * SCALE));
/** Concurrent calls of a client that makes one call per path. */
const AT_ONCE = 16;

interface Cost {
  ms: number;
  trips: number;
}

let trips = 0;
const countingFetch: typeof fetch = (input, init) => {
  trips++;
  return fetch(input, init);
};

async function measure(work: () => Promise<unknown>, runs = RUNS): Promise<Cost> {
  const times: number[] = [];
  await work();
  trips = 0;
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return { ms: times.toSorted((a, b) => a - b)[Math.floor(runs / 2)] ?? NaN, trips: trips / runs };
}

function report(name: string, ours: Cost, reference: Cost, aim?: number): void {
  const [a, b] = [ours, reference].map(({ ms, trips }) =>
    `${ms.toFixed(2).padStart(9)} ms ${String(trips).padStart(5)} trips`
  );
  const reached = reference.trips / ours.trips;
  const time = (ours.ms / reference.ms).toFixed(2);
  say(
    `${name.padEnd(46)} ${a} ${b}   time x${time}, trips 1/${reached.toFixed(0)}${
      judge(reached, aim)
    }`,
  );
}

/** Makes a user with so many objects. */
async function fill(count: number, id: string): Promise<string> {
  await sql`insert into auth.users (id, email) values (${id}, ${`${id}@example.com`})`;
  await sql`insert into storage.objects (bucket_id, name, metadata)
    select 'app_storage', ${id} || '/f' || n, '{"size": 100, "mimetype": "image/png", "eTag": "x"}'
    from generate_series(1, ${count}::int) as n`;
  await sql.unsafe("analyze storage.objects");
  return id;
}

/** Writes objects of a client, each in a transaction, as Storage does when their bytes have arrived. */
async function measureInsert(id: string): Promise<Cost> {
  return await measure(
    () =>
      sql`insert into storage.objects (bucket_id, name, owner_id, version, metadata)
      values ('app_storage', ${id} || '/' || gen_random_uuid(), ${id}, gen_random_uuid()::text,
        '{"size": 100, "mimetype": "image/png", "eTag": "x"}')`,
    3 * RUNS,
  );
}

async function withoutTriggers<T>(run: () => Promise<T>): Promise<T> {
  const admin = connect(stack.access, "supabase_admin");
  try {
    await admin`alter table storage.objects disable trigger user`;
    return await run();
  } finally {
    await admin`alter table storage.objects enable trigger user`;
    await admin.end();
  }
}

/** Makes a user with so many files in a public project, and one more. Returns the path of the last one. */
async function share(count: number): Promise<string> {
  const id = await fill(0, crypto.randomUUID());
  await sql`insert into projects (id, user_id, title, is_public) values (${id}, ${id}, 'P', true)`;
  await sql`insert into file_uploads (user_id, project_id, file_name, file_path, bucket_name)
    select ${id}, ${id}, 'f', ${id} || '/f' || n, 'chat_attachments' from generate_series(0, ${count}::int) as n`;
  await sql`insert into storage.objects (bucket_id, name, metadata)
    values ('chat_attachments', ${id} || '/f0', '{"size": 100, "mimetype": "image/png"}')`;
  await sql.unsafe("analyze file_uploads");
  return `${id}/f0`;
}

const dir = await Deno.makeTempDir({ prefix: "strongroom-bench-" });
await Deno.chmod(dir, 0o755);
const stack = await startStack(
  { ...await readOptions(), dir, ...freePorts() },
  { report: noReport, log: () => {}, watch: false, durable: DURABLE, schedule: false },
);
const sql = connect(stack.access, "postgres");
try {
  const { SUPABASE_URL = "", SUPABASE_PUBLISHABLE_KEY = "" } = stack.environment;
  const client = createClient(SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, {
    auth: { persistSession: false, autoRefreshToken: false },
    global: { fetch: countingFetch },
  });
  const { data } = await client.auth.signUp({ email: "a@example.com", password: "correct horse" });
  const user = data.user?.id ?? "";
  const bucket = client.storage.from("app_storage");
  await sql`update private.settings set value = 100000 where name = 'files.open_uploads'`;
  await sql`select set_storage_quota(${user}, 1099511627776)`;
  const invoke = async (path: string, body: Record<string, unknown>) => {
    const { data, error } = await client.functions.invoke(path, { body });
    if (error) throw new Error(await error.context.text());
    return data;
  };
  const declared = { bucket: "app_storage", name: "a.png", size: 1, content_type: "image/png" };

  say(`Median of ${RUNS} runs: ours and the reference\n`);
  const reserved = await invoke("files/uploads", declared);
  const sign = await measure(() => invoke("files/uploads", declared));
  const bare = await measure(() => bucket.createSignedUploadUrl(reserved.upload_path));
  report("an upload, reserved and signed; signed only", sign, bare);

  await sql`insert into storage.objects (bucket_id, name, metadata)
    select 'app_storage', ${user} || '/f' || n, '{"size": 100}' from generate_series(1, ${PATHS}) as n`;
  const paths = Array.from({ length: PATHS }, (_, n) => `${user}/f${n + 1}`);
  const few = 5;
  const many = await measure(async () => {
    const { urls } = await invoke("files/downloads", { bucket: "app_storage", paths });
    if (urls.length !== PATHS) throw new Error(`${urls.length} of ${PATHS} signed`);
  }, few);
  const each = await measure(async () => {
    const left = [...paths];
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (let path = left.pop(); path; path = left.pop()) await bucket.createSignedUrl(path, 60);
    }));
  }, few);
  const own = await measure(() => bucket.createSignedUrls(paths, 60), few);
  const single = await measure(() => bucket.createSignedUrl(paths[0] ?? "", 60));
  report(`${PATHS} downloads; one call per path, ${AT_ONCE} at once`, many, each, 50);
  report(`${PATHS} downloads; Storage's own call for them`, many, own);
  const one = await measure(() =>
    invoke("files/downloads", { bucket: "app_storage", paths: [paths[0]] })
  );
  report("one download; one call of Storage", one, single);

  say(
    "\nIn SQL, by the user's stored objects: reserving, as a ratio to no objects; writing an object\n",
  );
  let first: number | undefined;
  for (const count of STORED) {
    const id = await fill(count, crypto.randomUUID());
    const { ms } = await measure(async () => {
      const [upload] =
        await sql`select (reserve_upload(${id}, 'app_storage', 'a', 1, 'image/png')).id`;
      await sql`select release_upload(${id}, ${upload?.id})`;
    });
    const [insert, plain] = [
      await measureInsert(id),
      await withoutTriggers(() => measureInsert(id)),
    ];
    say(
      `${String(count).padStart(7)} objects: reserving ${ms.toFixed(2).padStart(8)} ms (x${
        (ms / (first ??= ms)).toFixed(2)
      }); writing ${insert.ms.toFixed(2)} ms, without triggers ${plain.ms.toFixed(2)} ms`,
    );
  }

  say(
    "\nReading one object of a public project, by the files that another user has in public projects\n",
  );
  for (const count of [0, Math.round(60_000 * SCALE)]) {
    const reader = await fill(0, crypto.randomUUID());
    const name = await share(count);
    const lines = await sql.begin(async (transaction) => {
      await transaction`select set_config('request.jwt.claims', ${
        JSON.stringify({ sub: reader, role: "authenticated" })
      }, true)`;
      await transaction.unsafe("set local role authenticated");
      return await transaction`explain (analyze, buffers, costs off, timing off)
        select * from storage.objects where bucket_id = 'chat_attachments' and name = ${name}`;
    });
    const text = lines.map((line) => line["QUERY PLAN"]).join("\n");
    const [, buffers] = text.match(/Buffers: shared hit=(\d+)/) ?? [];
    const [, time] = text.match(/Execution Time: ([\d.]+)/) ?? [];
    say(`${String(count).padStart(7)} files: ${buffers} buffers, ${time} ms`);
  }
} finally {
  await sql.end();
  await stack.stop();
  await Deno.remove(dir, { recursive: true });
}

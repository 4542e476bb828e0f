import assert from "node:assert/strict";

import {
  serviceClient,
  stack,
  test,
  withDatabase,
} from "../supabase/functions/_testing/testing.ts";
import { withObjects } from "./objects_testing.ts";
import { runImport, withFolder, withSource } from "./source_testing.ts";

const USERS_HEADER = "id,email,raw_user_meta_data,created_at,updated_at";
const TIME = "2024-05-06 07:08:09.123456+00";

test("import reports rows that do not fit, changes nothing, and can leave them out", async () => {
  await withFolder(async (dir) => {
    const tag = crypto.randomUUID().slice(0, 8);
    const uuid = (n: number) => `${tag}-0000-4000-8000-${String(n).padStart(12, "0")}`;
    const write = (table: string, header: string, rows: string[]) =>
      Deno.writeTextFile(`${dir}/${table}.csv`, [header, ...rows, ""].join("\n"));
    await write("auth.users", USERS_HEADER, [
      `${uuid(1)},${tag}@example.com,"{""a"": 1}",${TIME},${TIME}`,
      `${uuid(2)},${tag}2@example.com,{not json,${TIME},${TIME}`,
    ]);
    await write("profiles", "id,display_name,preferences,created_at,updated_at", [
      `${uuid(1)},"Ada, ""A""",{},${TIME},${TIME}`,
      `${uuid(9)},Nobody,{},${TIME},${TIME}`,
    ]);
    await write("conversations", "id,user_id,title,created_at,updated_at", [
      `${uuid(10)},${uuid(1)},"",${TIME},${TIME}`,
      `${uuid(11)},${uuid(1)},,not a time,${TIME}`,
      `${uuid(12)},,x,${TIME},${TIME}`,
    ]);
    const long = "x".repeat(300_000);
    const message = (n: number, role: string, content: string, parent = uuid(10)) =>
      `${uuid(n)},${parent},${role},${content},{},${TIME}`;
    await write("messages", "id,conversation_id,role,content,metadata,created_at", [
      message(20, "user", '"two\nlines"'),
      message(21, "robot", "wrong enumeration"),
      message(22, "user", long),
      message(23, "user", "no such conversation", uuid(99)),
      message(20, "user", "the same id again"),
      message(24, "user", ""),
      message(25, ",".slice(1), "no role"),
      message(26, "assistant", "fits"),
      "not-a-uuid,,user,x,{},",
    ]);
    const args = ["--product", "wbot", "--from", dir];
    const expected: [string, string, number, string[]][] = [
      ["auth.users", "raw_user_meta_data: not a valid value of its type", 1, [uuid(2)]],
      ["profiles", "require_account: refers to a row that does not exist", 1, [uuid(9)]],
      ["conversations", "created_at: not a valid time", 1, [uuid(11)]],
      ["conversations", "user_id: must not be null", 1, [uuid(12)]],
      ["messages", "role: not a valid value of its type", 1, [uuid(21)]],
      ["messages", "content_too_large", 1, [uuid(22)]],
      ["messages", "messages_conversation_id_fkey: refers to a row that does not exist", 1, [
        uuid(23),
      ]],
      ["messages", "messages_pkey: exists already, with other content", 1, [uuid(20)]],
      ["messages", "content: must not be null", 1, [uuid(24)]],
      ["messages", "role: must not be null", 1, [uuid(25)]],
      ["messages", "id: not a valid value of its type", 1, ["not-a-uuid"]],
    ];
    const sorted = (lines: unknown[]) => lines.map((line) => JSON.stringify(line)).sort();
    await withDatabase(async (here) => {
      for (const more of [["--check"], []]) {
        const checked = await runImport([...args, ...more]);
        assert.equal(checked.code, 1, checked.output);
        assert.equal(checked.report?.mode, "check");
        assert.deepEqual(
          sorted(
            checked.report.problems.map((
              { table, problem, rows, keys },
            ) => [table, problem, rows, keys]),
          ),
          sorted(expected),
        );
        const left = await here`select 1 from auth.users where id = ${uuid(1)}`;
        assert.equal(left.length, 0, "nothing was changed");
      }
      const copied = await runImport([...args, "--leave-out"]);
      assert.equal(copied.code, 0, copied.output);
      assert.equal(copied.report?.problems.length, expected.length);
      const messages = copied.report.tables.find(({ table }) => table === "messages");
      assert.deepEqual([messages?.target.rows, messages?.leftOut], [2, 7]);
      const rows = await here`
        select m.content #>> '{}' as text, c.title, c.updated_at::text as time, p.display_name as name
        from public.messages as m join public.conversations as c on c.id = m.conversation_id
        join public.profiles as p on p.id = c.user_id where c.id = ${uuid(10)} order by m.id`;
      assert.deepEqual(rows.map(({ text }) => text), ["two\nlines", "fits"]);
      assert.equal(rows[0]?.title, "", "an empty text is not null");
      assert.equal(rows[0]?.name, 'Ada, "A"');
      assert.equal(new Date(rows[0]?.time).toISOString(), "2024-05-06T07:08:09.123Z");
      await here`delete from private.imports where product = 'wbot'`;
      await here`delete from private.import_refusals where product = 'wbot'`;
    });
  });
});

test("import reports rows that have changed here since, and keeps them", async () => {
  await withSource("sorar", 5, async ({ url, sql }) => {
    const args = ["--product", "sorar", "--from", url];
    const first = await runImport(args);
    assert.equal(first.code, 0, first.output);
    const [entry] = await sql`select id from journal_entries limit 1`;
    await withDatabase(async (here) => {
      await here`update public.journal_entries set mood = 'better' where id = ${entry?.id}`;
      const compared = await runImport(args);
      assert.equal(compared.code, 1);
      const different = compared.report?.tables.filter(({ equal }) => !equal);
      assert.deepEqual(different?.map(({ table }) => table), ["journal_entries"]);
      const again = await runImport([...args, "--again"]);
      assert.equal(again.code, 1, again.output);
      assert.deepEqual(
        again.report?.problems.map(({ table, rows, keys }) => [table, rows, keys]),
        [["journal_entries", 1, [entry?.id]]],
      );
      const [kept] = await here`select mood from public.journal_entries where id = ${entry?.id}`;
      assert.equal(kept?.mood, "better");
    });
  });
});

test("import reads CSV files and moves objects with their owners, types and times", async () => {
  await withSource("chuk", 8, async (source) => {
    await withObjects(source, async ({ dir, objects, assertMoved }) => {
      const ended = await runImport(["--product", "chuk", "--from", dir]);
      assert.equal(ended.code, 0, ended.output);
      const compared = ended.report?.tables.find(({ table }) => table === "storage.objects");
      assert.equal(compared?.target.rows, objects.length);
      assert.deepEqual(compared?.target, compared?.source);
      await withDatabase(assertMoved);
    });
  });
});

test("import reads objects through the Storage of the product", async () => {
  await withSource("sorar", 1, async ({ url, sql }) => {
    const args = ["--product", "sorar", "--from", url];
    const before = await runImport([...args, "--no-objects"]);
    assert.equal(before.code, 0, before.output);
    const [user] = await sql`select id from auth.users`;
    const name = `${user?.id}/note.txt`;
    const bucket = serviceClient().storage.from("chat_attachments");
    const { error } = await bucket.upload(name, new TextEncoder().encode("hello"), {
      contentType: "text/plain",
    });
    assert.equal(error, null);
    await sql`insert into storage.objects (bucket_id, name, owner_id, metadata)
      values ('chat_attachments', ${name}, ${user?.id}, '{"size": 5, "mimetype": "text/plain"}')`;
    const nowhere = await runImport(args);
    assert.equal(nowhere.code, 2);
    assert.match(nowhere.output, /Add --storage with the URL of its API/);

    const ended = await runImport([...args, "--storage", stack.url], {
      SOURCE_SECRET_KEY: stack.secretKey,
    });
    assert.equal(ended.code, 0, ended.output);
    await withDatabase(async (here) => {
      const [object] = await here`select owner_id from storage.objects where name = ${name}`;
      assert.equal(object?.owner_id, user?.id);
    });
  });
});

test("import says what to do when it cannot begin", async () => {
  for (
    const [args, text] of [
      [["--help"], "Moves a product in"],
      [["--product", "nothing"], "Add --product with one of: chuk, wbot, codingit, sorar"],
      [["--product", "wbot"], "Add --from"],
      [
        ["--product", "wbot", "--from", "/nowhere"],
        "There are no CSV files in the folder /nowhere",
      ],
      [
        ["--product", "wbot", "--from", "postgresql://x:y@127.0.0.1:1/z"],
        "Check the URL after --from",
      ],
      [
        ["--product", "wbot", "--from", stack.adminDbUrl, "--to", "postgresql://x:y@127.0.0.1:1/z"],
        "Check the URL after --to",
      ],
      [["--nonsense"], "task import --help"],
    ] as const
  ) {
    const { code, output } = await runImport([...args]);
    assert.equal(code, args[0] === "--help" ? 0 : 2, output);
    assert.ok(output.includes(text), output);
  }
});

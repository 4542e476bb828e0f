/**
 * What changes of encrypted chats cost, compared with what Chuk Chat does: a message as a segment with uploading the
 * whole chat again, a sync with the list of ids and dates, a new password with encrypting all chats again. And what a message
 * costs more because heads prove it.
 *
 * The time is that of the client's cryptography and the database over a local connection. The bytes, whose transfer a
 * network would add, are listed separately.
 *
 * @module
 */

import type { Sql } from "postgres";

import {
  type DataKey,
  decryptText,
  derivePasswordKey,
  emptySum,
  encrypt,
  foldContent,
  foldSegment,
  generateDataKey,
  historyTerm,
  makeHead,
  openHistory,
  sealHistory,
  unwrap,
  wrap,
  xor,
} from "../client/crypto/mod.ts";
import { connect } from "../stack/postgres.ts";
import { SCALE, withDatabase } from "./throughput.ts";

const CHATS = Math.round(10_000 * SCALE);
const LENGTHS = [10, 1_000, 10_000].map((length) => Math.max(1, Math.round(length * SCALE)));
const CHANGES = [0, 1, 100];

/** Runs of each piece of work. The median counts. */
const RUNS = 15;

const MESSAGE = JSON.stringify({
  role: "user",
  content: "How do I sleep better? I wake up at three and think of work. ".repeat(8),
});

const user_id = crypto.randomUUID();

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/** The median milliseconds of repeated work, and the bytes that it reports. */
async function time(work: () => Promise<number>): Promise<{ ms: number; bytes: number }> {
  const times: number[] = [];
  let bytes = 0;
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    bytes = await work();
    times.push(performance.now() - start);
  }
  return { ms: median(times), bytes };
}

function print(name: string, ours: Figures, reference: Figures): void {
  const [a, b] = [ours, reference].map(({ ms, bytes }) =>
    `${ms.toFixed(2).padStart(10)} ms ${String(bytes).padStart(9)} B`
  );
  const ratios = [reference.ms / ours.ms, reference.bytes / ours.bytes]
    .map((ratio) => `x${ratio.toFixed(ratio < 10 ? 2 : 0)}`);
  console.log(`${name.padEnd(34)} ${a} ${b}   time ${ratios[0]}, bytes ${ratios[1]}`);
}

type Figures = { ms: number; bytes: number };

/** Adds a message to a chat of a given length, as a segment and by saving the whole chat. */
async function addMessage(sql: Sql, key: DataKey, length: number): Promise<void> {
  const chat_id = crypto.randomUUID();
  const place = { key, user_id, chat_id };
  const messages = Array.from({ length }, () => MESSAGE);
  const data = await encrypt(messages.join("\n"), { ...place, part: "data" });
  await sql`select save_chat(${user_id}, ${chat_id}, 0, ${data})`;
  let version = 1;
  const segments = await time(async () => {
    const number = version - 1;
    const segment = await encrypt(MESSAGE, { ...place, part: number });
    await sql`select append_chat_segment(${user_id}, ${chat_id}, ${version++}, ${number}, ${segment})`;
    return segment.length;
  });
  await sql`select save_chat(${user_id}, ${chat_id}, ${version}, ${await encrypt("", {
    ...place,
    part: "data",
  })})`;
  const whole = await time(async () => {
    const all = await encrypt([...messages, MESSAGE].join("\n"), { ...place, part: "data" });
    await sql`update encrypted_chats set encrypted_data = ${all} where user_id = ${user_id} and id = ${chat_id}`;
    return all.length;
  });
  print(`(a) a message more than ${length}`, segments, whole);
}

/** Adds a segment to a chat with and without the heads that prove it: they are replaced, and do not pile up. */
async function proveMessage(sql: Sql, key: DataKey): Promise<void> {
  const add = async (proven: boolean) => {
    const chat_id = crypto.randomUUID();
    const place = { user_id, chat_id };
    const data = await encrypt("", { ...place, key, part: "data" });
    await sql`select save_chat(${user_id}, ${chat_id}, 0, ${data})`;
    let [version, fold, before] = [1, await foldContent(data), null as string | null];
    return await time(async () => {
      const number = version - 1;
      const segment = await encrypt(MESSAGE, { ...place, key, part: number });
      if (!proven) {
        await sql`select append_chat_segment(${user_id}, ${chat_id}, ${version++}, ${number}, ${segment})`;
        return segment.length;
      }
      fold = await foldSegment(fold, { number, encrypted_data: segment });
      const state = { version: version + 1, data_version: 1, next_segment: number + 1 };
      const rest = { is_starred: false, encrypted_title: null };
      const head = await makeHead(place, { ...state, ...rest }, fold, key);
      const known = history && await openHistory(history.sealed, user_id, history.counter, key);
      const terms = await Promise.all(
        [before, head].filter((text) => text !== null).map((text) =>
          historyTerm(chat_id, text, key)
        ),
      );
      const sum = terms.reduce(xor, known?.sum ?? emptySum());
      const expected = history?.counter ?? 0;
      const content = {
        chats: 1,
        min_epoch: 1 as const,
        sum,
        writers: { "0123456789abcdef": expected + 1 },
      };
      const sealed = await sealHistory(content, user_id, expected + 1, key);
      history = { counter: expected + 1, sealed };
      const proof = sql.json({ expected, ...history });
      await sql`select append_chat_segment(${user_id}, ${chat_id}, ${version++}, ${number}, ${segment}, null, ${head}, ${proof})`;
      before = head;
      return segment.length + head.length + sealed.length;
    });
  };
  let history: { counter: number; sealed: string } | undefined;
  print("(d) a message with its heads", await add(true), await add(false));
}

/** Runs a query as PostgREST does for the user, and returns the bytes of its JSON. */
async function asUser(sql: Sql, query: string, args: string[]): Promise<number> {
  const [row] = await sql.begin(async (transaction) => {
    await transaction`select set_config('role', 'authenticated', true), set_config('request.jwt.claims',
      ${JSON.stringify({ sub: user_id, role: "authenticated" })}, true)`;
    return await transaction.unsafe(query, args, { prepare: true });
  });
  return String(row?.json).length;
}

async function sync(sql: Sql): Promise<void> {
  await sql`insert into encrypted_chats (user_id, encrypted_data)
    select ${user_id}, jsonb_build_object('v', '1', 'mac', encode(decode(md5(n::text), 'hex'), 'base64'),
      'nonce', encode(substr(sha256(n::text::bytea), 1, 12), 'base64'), 'ciphertext', 'AAAA')
    from generate_series(1, ${CHATS}) as n`;
  await sql.unsafe("vacuum analyze encrypted_chats");
  const [owner] =
    await sql`select sync_sequence from private.chat_owners where user_id = ${user_id}`;
  const list = await time(() =>
    asUser(
      sql,
      "select json_agg(c)::text as json from (select id, updated_at from encrypted_chats) as c",
      [],
    )
  );
  let last = Number(owner?.sync_sequence);
  for (const changes of CHANGES) {
    await sql`update encrypted_chats set is_starred = true where (user_id, id) in (
      select user_id, id from encrypted_chats where user_id = ${user_id} order by id limit ${changes})`;
    const changed = await time(() =>
      asUser(sql, "select to_json(s)::text as json from sync_chats($1) as s", [String(last)])
    );
    print(`(b) a sync with ${changes} changes of ${CHATS}`, changed, list);
    last += changes;
  }
}

async function changePassword(sql: Sql): Promise<void> {
  const fresh = await generateDataKey();
  const old = await derivePasswordKey("correct horse battery staple");
  const { kind: _kind, key: _key, ...parameters } = old;
  const first = await wrap(fresh, { under: old, user_id });
  await sql`select set_chat_keys(${user_id}, 0, ${fresh.key_id}, ${
    sql.json([
      { kind: "password", ...parameters, wrap: first },
      { kind: "recovery", wrap: first },
    ])
  })`;
  let version = 1;
  const change = await time(async () => {
    const under = await derivePasswordKey("a new password");
    const { key_id } = fresh;
    const key = await unwrap(first, { under: old, user_id, key_id, extractable: true });
    const again = await wrap(key, { under, user_id });
    const entry = { kind: "password", ...parameters, salt: under.salt, wrap: again };
    await sql`select set_chat_keys(${user_id}, ${version++}, ${key_id}, ${sql.json([entry])})`;
    return JSON.stringify(entry).length;
  });

  // Reads, encrypts and writes one chat of a usual length. The result is multiplied by the number of chats.
  const chat_id = crypto.randomUUID();
  const place = { user_id, chat_id, part: "data" } as const;
  const content = Array.from({ length: 20 }, () => MESSAGE).join("\n");
  await sql`select save_chat(${user_id}, ${chat_id}, 0, ${await encrypt(content, {
    ...place,
    key: fresh,
  })})`;
  const one = await time(async () => {
    const [row] =
      await sql`select encrypted_data from encrypted_chats where user_id = ${user_id} and id = ${chat_id}`;
    const text = await decryptText(row?.encrypted_data, { ...place, keys: [fresh] });
    const anew = await encrypt(text, { ...place, key: fresh });
    await sql`update encrypted_chats set encrypted_data = ${anew} where user_id = ${user_id} and id = ${chat_id}`;
    return anew.length * 2;
  });
  const all = { ms: one.ms * CHATS, bytes: one.bytes * CHATS };
  print(`(c) a new password, ${CHATS} chats`, change, all);
}

await withDatabase(async (access) => {
  const admin = connect(access, "supabase_admin");
  await admin`insert into auth.users (id, email) values (${user_id}, 'ada@example.com')`;
  await admin.end();
  const sql = connect(access, "postgres");
  console.log(
    `Median of ${RUNS} runs: ours, the reference, and how many times as much the reference is\n`,
  );
  await sync(sql);
  await changePassword(sql);
  const [keys] = await sql`select key_id from private.chat_owners where user_id = ${user_id}`;
  const key = { ...await generateDataKey(), key_id: keys?.key_id };
  for (const length of LENGTHS) await addMessage(sql, key, length);
  await proveMessage(sql, key);
  await sql.end();
});

import assert from "node:assert/strict";

import { test, withDatabase } from "../_testing/testing.ts";

const FUNCTIONS = new URL("../", import.meta.url);

/** What a function of the database can raise itself, and what it calls. */
interface Source {
  codes: Set<string>;
  calls: Set<string>;
}

const CALL = /\b((?:public|private)\.\w+)\s*\(/g;
const WRITE = /\b(?:insert into|update|delete from) ((?:public|private)\.\w+)/g;
const CODE = /(?:^|then |else |format\()'([a-z]+(?:_[a-z0-9]+)+)(?: %s| | \{[^']*)?'/g;

const all = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map(([, found = ""]) => found);

/** Stands for a status that the source chooses while it runs. */
const ANY = "???";

/** The codes that a statement names in `detail`, and those that are assigned to `v_code`. */
function codesIn(source: string): string[] {
  return source.split(/\braise exception\b/).slice(1).flatMap((statement) => {
    const [, given, variable] = statement.match(/errcode = (?:'PT(\d{3})'|(v_state))/) ?? [];
    const status = variable ? ANY : given;
    const [, detail = ""] = statement.match(/\bdetail = ([\s\S]*?)(?:,\s*hint =|;\s*\n|$)/) ?? [];
    if (!status) return [];
    const named = detail.includes("v_code") ? all(source, /v_code := '(\w+)'/g) : all(detail, CODE);
    return named.map((code) => `${status} ${code}`);
  });
}

async function readSources(): Promise<Map<string, Source>> {
  const [functions, triggers] = await withDatabase(async (sql) => [
    await sql`
      select pronamespace::regnamespace || '.' || proname as name, string_agg(prosrc, ' ') as source
      from pg_proc where pronamespace in ('public'::regnamespace, 'private'::regnamespace) group by 1`,
    await sql`
      select n.nspname || '.' || c.relname as table, p.pronamespace::regnamespace || '.' || p.proname as name
      from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
      join pg_proc p on p.oid = t.tgfoid where not t.tgisinternal`,
  ]);
  return new Map(
    functions?.map(({ name, source }) => {
      const written = new Set(all(source, WRITE));
      const fired = (triggers ?? []).filter(({ table }) => written.has(table));
      const calls = new Set([...all(source, CALL), ...fired.map(({ name }) => name)]);
      return [name, { codes: new Set(codesIn(source)), calls }];
    }),
  );
}

/** Every code that a function of the database can raise. */
function raisedBy(name: string, sources: Map<string, Source>, seen = new Set<string>()): string[] {
  const source = sources.get(name);
  if (!source || seen.has(name)) return [];
  seen.add(name);
  return [...source.codes, ...[...source.calls].flatMap((call) => raisedBy(call, sources, seen))];
}

/** The source of a function's routes, and of the modules that they import. */
function readRoutes(name: string): string {
  const texts = new Map<string, string>();
  const read = (url: URL) => {
    if (texts.has(url.href) || url.href.endsWith("/database.types.ts")) return;
    const text = Deno.readTextFileSync(url);
    texts.set(url.href, text);
    for (const path of all(text, /(?:from|import\()\s*"(\.\.?\/[^"]+\.ts)"/g)) {
      read(new URL(path, url));
    }
  };
  read(new URL(`${name}/app.ts`, FUNCTIONS));
  return [...texts.values()].join("\n");
}

/** The codes in a function's document, with their statuses. */
function documentedBy(name: string): string[] {
  const { paths, components } = JSON.parse(
    Deno.readTextFileSync(new URL(`${name}/openapi.json`, FUNCTIONS)),
  );
  const routes = Object.values(paths).flatMap((path) => Object.values(path as object));
  return routes.flatMap(({ responses }) =>
    Object.entries(responses).flatMap(([status, response]) => {
      const { $ref } = response as { $ref?: string };
      const { content } = $ref ? components.responses[$ref.split("/").at(-1) ?? ""] : response;
      const codes = content?.["application/problem+json"]?.schema.properties.code.enum ?? [];
      return codes.map((code: string) => `${status} ${code}`);
    })
  );
}

const USING_KEYS = "using an API key changes no column of it that counts";

/** Codes of the SQL behind a function that its requests cannot cause, by the reason. */
const UNREACHABLE: Record<string, Record<string, string>> = {
  conversations: {
    "messages of projects go through the same SQL":
      "project_deleted project_cloning project_read_only project_not_found project_purged " +
      "not_message_author",
    "a hold has an account, in a known unit": "account_not_found unknown_unit",
  },
  projects: {
    "messages of conversations go through the same SQL":
      "conversation_not_found invalid_conversation_id",
    "a hold has an account, in a known unit": "account_not_found unknown_unit",
    "only a file of a chat names one": "chat_not_found",
  },
  answers: {
    "the function chooses what is saved, and never settles":
      "invalid_title invalid_batch invalid_settlement " +
      "hold_not_found message_settled invalid_sequence_number invalid_status sequence_number_taken " +
      "project_purged",
    "a repeat by a message's id comes before": "conversation_deleted message_deleted",
    "the database chooses what is held and charged":
      "invalid_charge unknown_sku invalid_quantity invalid_amount invalid_hold unknown_unit " +
      "unit_mismatch",
    "a hold that is gone charges nothing": "hold_already_captured hold_released hold_expired " +
      "capture_exceeds_hold",
    "the function writes them": "invalid_ending invalid_pieces",
    "the model is told why a tool has failed": "invalid_query invalid_limit",
    "an image that cannot be stored is a part of the answer that names the code":
      "chat_not_found upload_not_found upload_expired upload_missing upload_changed " +
      "upload_already_complete bucket_not_found too_many_uploads storage_quota_exceeded invalid_name " +
      "invalid_size invalid_content_type content_type_not_allowed chat_required not_project_owner",
  },
  chats: {
    "only direct writes to the tables":
      "data_missing chat_id_changed chat_text_too_large invalid_image_path " +
      "chat_has_segments",
    "only sync_chats, which clients call directly": "invalid_limit invalid_cursor cursor_too_old",
    "the schema of the request checks it": "invalid_key_id invalid_version",
    "the bucket of attachments is fixed, and files of projects go through the same SQL":
      "bucket_not_found invalid_name invalid_content_type chat_required not_project_owner " +
      "project_deleted project_cloning project_read_only project_not_found",
  },
  account: {
    [USING_KEYS]: "too_many_rows too_many_bytes",
    "the function chooses it": "invalid_page",
  },
  files: {
    "the schema of the request checks it": "invalid_batch",
    "the function chooses it": "invalid_refusal",
  },
  cleanup: {
    "the function chooses them": "invalid_page invalid_lease invalid_batch",
    [USING_KEYS]: "too_many_rows too_many_bytes",
  },
  credits: { [USING_KEYS]: "too_many_rows too_many_bytes" },
  keys: { [`${USING_KEYS}; too_many_keys comes first`]: "too_many_rows too_many_bytes" },
  teams: {
    [USING_KEYS]: "too_many_rows too_many_bytes",
    "a team has an account, in a known unit": "account_not_found unknown_unit",
    "a deletion changes no message and restores no project": "project_purged content_too_large " +
      "invalid_message_id too_many_messages invalid_sequence_number invalid_conversation_id",
  },
  webhooks: {
    [USING_KEYS]: "too_many_rows too_many_bytes",
    "the schema of the request checks it": "invalid_replay",
    "the inbox records it as the reason of a failure": "stripe_event_unreadable " +
      "stripe_lines_missing stripe_price_unknown stripe_customer_unknown stripe_lines_incomplete " +
      "account_not_found idempotency_key_reused invalid_grant balance_too_large invalid_amount " +
      "invalid_idempotency_key external_reference_used too_many_grants unknown_unit",
  },
};

/** Every function. */
const NAMES = [...Deno.readDirSync(FUNCTIONS)]
  .filter((entry) => entry.isDirectory && !entry.name.startsWith("_"))
  .map((entry) => entry.name);

const codeOf = (answer: string) => answer.split(" ")[1] ?? "";
const has = (answers: Set<string>, answer: string) =>
  answers.has(answer) ||
  answer.startsWith(ANY) && [...answers].some((other) => codeOf(other) === codeOf(answer));

test("the OpenAPI documents list the codes that can be raised, and no other", async () => {
  const sources = await readSources();
  assert.ok(NAMES.length >= 7);
  const faults = NAMES.flatMap((name) => {
    const routes = readRoutes(name);
    const called = all(routes, /"(\w+)"/g).map((word) => `public.${word}`);
    const raised = new Set(called.flatMap((called) => raisedBy(called, sources)));
    const documented = new Set(documentedBy(name));
    const missing = new Set([...raised].filter((answer) => !has(documented, answer)).map(codeOf));
    const unreachable = new Set(Object.values(UNREACHABLE[name] ?? {}).join(" ").split(" "));
    const idle = [...documented].filter((answer) =>
      !raised.has(answer) && !raised.has(`${ANY} ${codeOf(answer)}`) &&
      !routes.includes(`"${codeOf(answer)}"`)
    );
    return [
      ...[...missing.difference(unreachable)].map((code) => `${name} can raise ${code}`),
      ...[...unreachable.difference(missing)].filter(Boolean)
        .map((code) =>
          `${name} cannot raise ${code}, or documents it: UNREACHABLE need not list it`
        ),
      ...idle.map((answer) => `${name} documents ${answer}, which nothing raises`),
    ];
  });
  assert.deepEqual(faults, []);
});

import type { SupabaseClient } from "@supabase/supabase-js";
import assert from "node:assert/strict";
import postgres from "postgres";

import type { Database } from "../../functions/_shared/database.types.ts";
import { removeQueuedObjects } from "../../functions/_storage/removals.ts";
import { noteProcesses, withCheckout } from "../../functions/_testing/checkout.ts";
import {
  type Answer,
  invoke,
  serviceClient,
  signUp,
  test,
  until,
} from "../../functions/_testing/testing.ts";
import { GIF, PNG } from "../../functions/files/files_testing.ts";

type Client = SupabaseClient<Database>;

/** A proxy for all calls of the functions to the database and Storage. It can kill the functions at each step. */
interface Gate {
  url: string;
  /** Kills the functions' process before or after the given step of the next request; 0 for never. */
  arm(step: number, after: boolean): void;
  /** Number of steps since then. */
  steps(): number;
  /** Whether the process was killed since then. */
  hasKilled(): boolean;
  stop(): Promise<void>;
}

function openGate(target: string, kill: () => void): Gate {
  let count = 0;
  let last = { step: 0, after: false };
  let killed = false;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const step = ++count;
      const gone = () => {
        killed = true;
        kill();
        return new Response(null, { status: 502 });
      };
      if (step === last.step && !last.after) return gone();
      const { pathname, search } = new URL(request.url);
      const headers = new Headers(request.headers);
      headers.delete("host");
      const body = request.body ? await request.arrayBuffer() : null;
      const answer = await fetch(`${target}${pathname}${search}`, {
        method: request.method,
        headers,
        body,
      });
      if (step !== last.step) return answer;
      await answer.body?.cancel();
      return gone();
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    arm(step, after) {
      count = 0;
      last = { step, after };
      killed = false;
    },
    steps: () => count,
    hasKilled: () => killed,
    stop: () => server.shutdown(),
  };
}

/** A user, with the clients that the test uses to check their data. */
interface Scene {
  user: Client;
  user_id: string;
  service: Client;
  sql: postgres.Sql;
}

const declared = {
  bucket: "chat_attachments",
  name: "a.png",
  size: PNG.length,
  content_type: "image/png",
};

/** Reserves an upload and sends the declared bytes or others. Returns the path to complete it. */
async function prepare({ user }: Scene, bytes = PNG, more = {}): Promise<string> {
  const body = { ...declared, size: bytes.length, ...more };
  const reserved = await invoke(user, "files/uploads", { body });
  assert.equal(reserved.status, 201, JSON.stringify(reserved.body));
  const { bucket, upload_path, token } = reserved.body;
  const { error } = await user.storage.from(bucket)
    .uploadToSignedUrl(upload_path, token, new Blob([bytes], { type: body.content_type }));
  if (error) throw error;
  return `files/uploads/${reserved.body.id}/complete`;
}

/** The requests that are interrupted, each with its preparation. */
const REQUESTS: Record<string, (scene: Scene) => Promise<() => Promise<Answer>>> = {
  reserving: (scene) =>
    Promise.resolve(() => invoke(scene.user, "files/uploads", { body: declared })),
  completing: async (scene) => {
    const path = await prepare(scene);
    return () => invoke(scene.user, path, { method: "POST" });
  },
  replacing: async (scene) => {
    const old = await prepare(scene, GIF, { bucket: "avatars", content_type: "image/gif" });
    assert.equal((await invoke(scene.user, old, { method: "POST" })).status, 200);
    const path = await prepare(scene, PNG, { bucket: "avatars" });
    return () => invoke(scene.user, path, { method: "POST" });
  },
  rejecting: async (scene) => {
    const path = await prepare(scene, PNG, { size: PNG.length - 1 });
    return () => invoke(scene.user, path, { method: "POST" });
  },
  deleting: async (scene) => {
    const complete = await prepare(scene);
    const { body } = await invoke(scene.user, complete, { method: "POST" });
    return () =>
      invoke(scene.user, "files", {
        method: "DELETE",
        body: { bucket: body.bucket, paths: [body.path] },
      });
  },
};

/** Does what cleanup jobs do once reservations and upload URLs have expired. */
async function cleanUp({ service, sql, user_id }: Scene): Promise<void> {
  await sql`update file_uploads set expires_at = now() where user_id = ${user_id} and status <> 'complete'`;
  await sql`select private.clean_up_at_once('expired_uploads')`;
  await sql`update private.spent_uploads set expires_at = now() - interval '1 hour'`;
  await sql`select private.clean_up_at_once('expired_uploads')`;
  // The process that was removing them is gone.
  await sql`update private.storage_removals set due_at = now()`;
  while ((await removeQueuedObjects(service)).rows > 0);
}

/** Asserts that objects and complete records match, nothing is queued or reserved, and usage is the sum. */
async function assertRight({ sql, service, user_id }: Scene, what: string): Promise<void> {
  const objects =
    await sql`select bucket_id || '/' || name as name, (metadata ->> 'size')::int as size
    from storage.objects where name like ${`${user_id}/%`} order by 1`;
  const records =
    await sql`select bucket_name || '/' || file_path as name, file_size::int as size, status
    from file_uploads where user_id = ${user_id} order by 1`;
  assert.deepEqual(
    records.map(({ name, size, status }) => ({ name, size, status })),
    objects.map(({ name, size }) => ({ name, size, status: "complete" })),
    what,
  );
  const [left] = await sql`select (select count(*) from private.storage_removals)::int
    + (select count(*) from private.spent_uploads)::int as count`;
  assert.equal(left?.count, 0, what);
  const { data } = await service.rpc("get_storage_usage", { user_id });
  const sum = objects.reduce((sum, { size }) => sum + size, 0);
  assert.deepEqual([data?.[0]?.used, data?.[0]?.reserved], [sum, 0], what);
}

test("a kill of the functions' process before or after any step of a request is repaired by cleanup", async () => {
  await withCheckout(async (checkout) => {
    let pids = () => [0];
    const gate = openGate(
      `http://127.0.0.1:${checkout.environment.STACK_API_PORT}`,
      () => Deno.kill(pids().at(-1) as number, "SIGKILL"),
    );
    pids = await noteProcesses(checkout, { SUPABASE_URL: gate.url });
    await checkout.start();
    const stack = await checkout.stack();
    const service = serviceClient(stack);
    const sql = postgres(stack.dbUrl, { max: 1, onnotice: () => {} });
    try {
      let kills = 0;
      for (const [name, make] of Object.entries(REQUESTS)) {
        const { client: user, id: user_id } = await signUp(stack);
        const scene = { user, user_id, service, sql };
        gate.arm(0, false);
        // Removals after a response are done when the queue is empty.
        const isQuiet = async () => (await sql`select from private.storage_removals`).length === 0;
        const undisturbed = await make(scene);
        await until(isQuiet);
        gate.arm(0, false);
        await undisturbed();
        await until(isQuiet);
        const steps = gate.steps();
        assert.ok(steps >= 2, name);
        for (let step = 1; step <= steps; step++) {
          for (const after of [false, true]) {
            const what = `${name}: killed ${after ? "after" : "before"} step ${step} of ${steps}`;
            gate.arm(0, false);
            const request = await make(scene);
            await until(isQuiet);
            const before = pids().length;
            gate.arm(step, after);
            const { status } = await request().catch(() => ({ status: 502 }));
            // Work after the response does not change the response.
            await until(gate.hasKilled);
            assert.ok(status === 502 || name === "replacing" && status === 200, what);
            gate.arm(0, false);
            kills++;
            // The next request gets a new process once the stack notices that this one is gone.
            await until(async () => (await invoke(user, "files/usage")).status === 200);
            assert.equal(pids().length, before + 1, what);
            await cleanUp(scene);
            await assertRight(scene, what);
          }
        }
      }
      assert.ok(kills >= 20, String(kills));
    } finally {
      await sql.end();
      await gate.stop();
    }
  });
});

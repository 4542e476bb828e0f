/**
 * Supabase Storage stores every version of an object in a place of its own, and removes it again if the database refuses
 * the row. `@supabase/lite` writes over the old bytes first and changes the row last, so a refused upload, copy or move
 * still destroys what is stored (seen in 0.10.0).
 *
 * @module
 */

import type { App } from "@supabase/lite";
import { AsyncLocalStorage } from "node:async_hooks";

/** Uploads, copies and moves, and what else one can POST and PUT there. */
const OBJECT_PATH = /^\/storage\/v1\/object\//;

type Adapter = NonNullable<App["_storageAdapter"]>;

/** The adapter for files also says where it stores an object. */
type FileAdapter = Adapter & { filePath(bucket: string, name: string): string };

/** What one request has written, and how to end it. */
interface Write {
  undo: (() => Promise<void>)[];
  keep: (() => Promise<void>)[];
  paths: Map<string, () => void>;
}

/**
 * Makes refused writes leave the stored bytes as they were.
 *
 * @param app The app, with its storage adapter.
 * @param answer Passes a request to the app.
 * @returns Answers a request.
 */
export function undoRefusedWrites(
  app: App,
  answer: (request: Request) => Promise<Response>,
): (request: Request) => Promise<Response> {
  const requests = new AsyncLocalStorage<Write>();
  const takePath = queueByPath();
  const original = app._storageAdapter as FileAdapter;

  /** Waits for other writes to these paths, and keeps a copy of what is there. */
  async function begin(write: Write, target: string, others: string[] = []): Promise<void> {
    for (const path of [...new Set([target, ...others])].sort()) {
      if (!write.paths.has(path)) write.paths.set(path, await takePath(path));
    }
    const copy = `${target}.${crypto.randomUUID()}`;
    const existed = await Deno.copyFile(target, copy).then(() => true, () => false);
    write.undo.unshift(() => existed ? Deno.rename(copy, target) : removeIfThere(target));
    write.keep.push(() => removeIfThere(copy));
  }

  const wrapped: Partial<FileAdapter> = {
    async uploadObject(bucket, name, version, body, ...rest) {
      const write = requests.getStore();
      // Read first: a slow upload must not keep others waiting.
      const bytes = new Uint8Array(await new Response(body as BodyInit).arrayBuffer());
      if (write) await begin(write, original.filePath(bucket, name));
      return await original.uploadObject(bucket, name, version, bytes, ...rest);
    },
    async copyObject(bucket, name, version, toBucket, toName, ...rest) {
      const write = requests.getStore();
      const [source, target] = [
        original.filePath(bucket, name),
        original.filePath(toBucket, toName),
      ];
      if (write && source !== target) await begin(write, target, [source]);
      return await original.copyObject(bucket, name, version, toBucket, toName, ...rest);
    },
    async deleteObject(bucket, name, version) {
      const write = requests.getStore();
      if (write) await begin(write, original.filePath(bucket, name));
      await original.deleteObject(bucket, name, version);
    },
  };
  app._storageAdapter = new Proxy(original, {
    get(target, property) {
      const value = Reflect.get(wrapped, property) ?? Reflect.get(target, property);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });

  return async (request) => {
    const isWrite = ["POST", "PUT"].includes(request.method) &&
      OBJECT_PATH.test(new URL(request.url).pathname);
    if (!isWrite) return await answer(request);
    const write: Write = { undo: [], keep: [], paths: new Map() };
    let response: Response | undefined;
    try {
      response = await requests.run(write, () => answer(request));
      return response;
    } finally {
      for (const step of response?.ok ? write.keep : write.undo) await step();
      for (const release of write.paths.values()) release();
    }
  };
}

async function removeIfThere(path: string): Promise<void> {
  await Deno.remove(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

/** Lets one writer at a time have a path. The returned function waits for its turn, and returns how to end it. */
function queueByPath(): (path: string) => Promise<() => void> {
  const last = new Map<string, Promise<void>>();
  return async (path) => {
    const before = last.get(path);
    const { promise, resolve } = Promise.withResolvers<void>();
    last.set(path, promise);
    await before;
    return () => {
      if (last.get(path) === promise) last.delete(path);
      resolve();
    };
  };
}

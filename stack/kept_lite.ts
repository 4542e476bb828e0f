/**
 * REST, Auth and Storage on a database that may end and come back. After a lost connection, `@supabase/lite` and its
 * driver do not recover: requests hang, and connections are never written to again
 * (https://github.com/porsager/postgres/issues/1154). So they are started anew, with new connections.
 *
 * @module
 */

import { type Lite, type LiteOptions, startLite } from "./lite.ts";
import { isReachable } from "./postgres.ts";
import { within } from "./within.ts";

/** Milliseconds that a request may still take after a connection was lost: its own connection may have been another. */
const GRACE_MS = 500;

/** Milliseconds after an error in which the loss of the connection shows. */
const NOTICE_MS = 300;

/** Milliseconds between two attempts to reach the database. */
const PAUSE_MS = 100;

/** Seconds after which a client may try again. */
const RETRY_AFTER_S = 1;

/** Codes of errors of a socket, of the driver, and of a server that is ending or starting. */
const LOSS = /"(EPIPE|ECONN[A-Z]+|CONNECTION_[A-Z]+|CONNECT_TIMEOUT|57P0[123])"/;

/** PostgREST's codes for an unknown table or function. If the connection is lost while the schema is read, all are. */
const UNKNOWN = /"PGRST2\d\d"/;

/** One `@supabase/lite`, and whether it has lost a connection. */
interface Instance {
  lite: Lite;
  isLost: boolean;
  lost: Promise<void>;
  /** Notes that it has lost a connection. */
  lose(): void;
}

/**
 * Starts `@supabase/lite`, and starts it again when it has lost a connection to the database. Until then, every request
 * gets 503 with `Retry-After`, as from the platform.
 *
 * @param options As {@link startLite} takes them.
 */
export async function keepLite(options: LiteOptions): Promise<Lite> {
  let closing = false;
  let current: Instance | undefined = await startInstance(options);
  let renewal = Promise.resolve();

  const startAgain = async () =>
    await isReachable(options.access) ? await startInstance(options) : undefined;
  const renew = async (former: Instance) => {
    await former.lost;
    if (closing) return;
    current = undefined;
    const ended = former.lite.close();
    while (!closing && !current) {
      current = await startAgain().catch(nothing);
      if (!current) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    await ended;
    if (current) watch(current);
  };
  const watch = (instance: Instance) => {
    renewal = renew(instance);
  };
  watch(current);

  return {
    async fetch(request) {
      const instance = current;
      if (!instance) return unavailable();
      const late = instance.lost.then(() => within(GRACE_MS, new Promise(() => {})))
        .then(unavailable);
      const response = await Promise.race([
        instance.lite.fetch(request).catch(async (error) => {
          await within(NOTICE_MS, instance.lost);
          if (instance.isLost) return unavailable();
          throw error;
        }),
        late,
      ]);
      if (response.status < 400) return response;
      const text = await response.clone().text();
      if (LOSS.test(text)) instance.lose();
      if (response.status >= 500 || UNKNOWN.test(text)) await within(NOTICE_MS, instance.lost);
      if (!instance.isLost) return response;
      await response.body?.cancel();
      return unavailable();
    },
    async close() {
      closing = true;
      if (!current) await renewal;
      await current?.lite.close();
    },
  };
}

const nothing = () => undefined;

async function startInstance(options: LiteOptions): Promise<Instance> {
  const { promise: lost, resolve } = Promise.withResolvers<void>();
  let isLost = false;
  const lose = () => {
    isLost = true;
    resolve();
  };
  const lite = await startLite({ ...options, onConnectionLost: lose });
  return {
    lite,
    get isLost() {
      return isLost;
    },
    lost,
    lose,
  };
}

/** What PostgREST answers while it cannot reach the database. */
function unavailable(): Response {
  return Response.json(
    { code: "PGRST001", message: "The database cannot be reached", details: null, hint: null },
    {
      status: 503,
      headers: { "retry-after": `${RETRY_AFTER_S}`, "access-control-allow-origin": "*" },
    },
  );
}

/**
 * A connection to PostgreSQL that sends each message at once.
 *
 * @module
 */

import { connect } from "node:net";

/** What the driver passes: the hosts of the URL, and their ports. */
interface Target {
  host: string[];
  port: number[];
}

/**
 * An option of the driver. Without it, the kernel holds back the end of a `COPY` and the statement after a savepoint until the
 * server has acknowledged what came before (Nagle's algorithm, RFC 896), and the server takes 40 ms for that (RFC 1122,
 * 4.2.3.2): 80 ms for each batch.
 */
export const noDelay = {
  socket: ({ host: [host = "127.0.0.1"], port: [port = 5432] }: Target) =>
    // The driver takes the name for TLS from the socket.
    Object.assign(connect({ host, port, noDelay: true }), { host }),
};

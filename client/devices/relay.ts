/**
 * Sends the messages of approvals, and reads those of the other device.
 *
 * @module
 */

import { pause } from "../api/support.ts";
import { Members, must } from "../chats/answers.ts";
import type { Requests } from "../chats/requests.ts";
import { approvalErrors } from "./approval_errors.ts";

/** An approval, as the server says. */
export interface ApprovalRow {
  readonly id: string;
  readonly share: string;
  readonly reply: string | null;
  readonly hello: string | null;
  readonly answer: string | null;
  readonly closed: string | null;
  readonly created_at: string;
  readonly expires_at: string;
}

/** What a device adds to an approval. */
export type ApprovalChange =
  | { readonly reply: string }
  | { readonly hello: string }
  | { readonly answer: string }
  | { readonly closed: "refused" | "done" };

/** The longest message, in characters. */
const LONGEST = 32768;

/** The most approvals in a response. */
const MOST = 100;

function readRow(members: Members): ApprovalRow {
  const optional = (name: string) => members.lacks(name) ? null : members.text(name, LONGEST);
  return {
    id: members.uuid("id"),
    share: members.text("share"),
    reply: optional("reply"),
    hello: optional("hello"),
    answer: optional("answer"),
    closed: optional("closed"),
    created_at: members.time("created_at"),
    expires_at: members.time("expires_at"),
  };
}

/** Carries messages between two devices. The server may lose, change, repeat and mix them. */
export class Relay {
  readonly #requests: Requests;

  /** @param requests as the user */
  constructor(requests: Requests) {
    this.#requests = requests;
  }

  /** Lists the approvals that have not expired, newest first. */
  async list(): Promise<ApprovalRow[]> {
    const read = (answer: unknown) => new Members(answer).list("approvals", MOST).map(readRow);
    const request = { method: "GET", path: "approvals", read } as const;
    return await this.#requests.send(request, (rows) => rows);
  }

  /** Begins an approval. */
  async begin(id: string, share: string): Promise<void> {
    const read = (answer: unknown) => mustBe(id, readRow(new Members(answer)));
    const request = { method: "POST", path: "approvals", body: { id, share }, read } as const;
    await this.#requests.send(request, () => {});
  }

  /** Adds a message to an approval, or closes it. Repeating it does no harm, so it needs no idempotency key. */
  async change(id: string, body: ApprovalChange): Promise<void> {
    const read = (answer: unknown) => mustBe(id, readRow(new Members(answer)));
    const request = { method: "PATCH", path: `approvals/${id}`, body: { ...body }, read } as const;
    await this.#requests.send(request, () => {});
  }

  /** Closes an approval. That may fail: it expires in any case. */
  async close(id: string, closed: "refused" | "done"): Promise<void> {
    await this.change(id, { closed }).catch(() => {});
  }

  /**
   * Waits until an approval has what is looked for.
   *
   * @param id of the approval
   * @param find returns undefined while it is missing
   * @param wait `until`: when the approval expires, in milliseconds; `poll_ms`: pause between two looks; `signal`: ends it
   * @throws ChatsError `approval_expired`, `approval_refused`, `unreachable`; what the signal was aborted with
   */
  async until<T>(
    id: string,
    find: (row: ApprovalRow) => T | undefined,
    wait: Wait & { readonly until: number },
  ): Promise<T> {
    for (;;) {
      wait.signal?.throwIfAborted();
      const row = (await this.list()).find((row) => row.id === id);
      if (!row || Date.now() > wait.until) throw approvalErrors.expired();
      if (row.closed !== null) throw approvalErrors.refused();
      const found = find(row);
      if (found !== undefined) return found;
      await pause(wait.poll_ms ?? POLL_MS, wait.signal);
    }
  }
}

/** How a device waits for the other one. */
export interface Wait {
  /** Ends the waiting, for example when the user leaves the page. The approval stays. */
  readonly signal?: AbortSignal;
  /** Milliseconds between two looks at the server (1,000). */
  readonly poll_ms?: number;
}

const POLL_MS = 1000;

function mustBe(id: string, row: ApprovalRow): void {
  must(row.id === id, "it is another approval");
}

/**
 * What a device keeps of an approval, so that a reload of the page continues it.
 *
 * @module
 */

import type { Chats } from "../chats/chats.ts";
import { Requests } from "../chats/requests.ts";
import type { AnySupabaseClient } from "../chats/supabase_client.ts";
import { type Bytes, fromBase64, parseObject, toBase64 } from "../crypto/encoding.ts";
import { approvalErrors } from "./approval_errors.ts";
import { type ApprovalKeys, approvalKeys, exchangeOf } from "./approval_keys.ts";
import { shareBytes } from "./approval_code.ts";
import { makeShare, randomScalar } from "./cpace.ts";
import { Relay } from "./relay.ts";

/** Minutes in milliseconds: after this, a device takes no more part in an approval, whatever the server says. */
export const VALIDITY_MS = 10 * 60 * 1000;

/** What approvals work with. */
export interface ApprovalOptions {
  readonly supabase: AnySupabaseClient;
  /** UUID of the signed-in user. */
  readonly user_id: string;
  /** The chats of that user on this device. */
  readonly chats: Chats;
  /**
   * Called with the state of the approval whenever it changes, and with null when it has ended. Keep it where a reload finds
   * it and nobody else does, for example in `sessionStorage`: with it, somebody could take this device's part in the approval.
   */
  readonly onState?: (state: string | null) => void | Promise<void>;
}

/** What a device keeps. Messages are kept as they were sent, so that they can be sent again. */
export interface ApprovalState {
  readonly role: "new" | "old";
  readonly id: string;
  readonly code: string;
  readonly scalar: string;
  /** When the approval ends for this device, in milliseconds. */
  readonly until: number;
  /** The share of the other device. Only the first one is taken: each is a guess at the code. */
  readonly other?: string;
  readonly name?: string;
  readonly hello?: string;
  readonly answer?: string;
}

/** One side of an approval. */
export class ApprovalSide {
  readonly relay: Relay;
  readonly options: ApprovalOptions;
  state: ApprovalState;

  /**
   * @param options what it works with
   * @param state what this device keeps
   */
  constructor(options: ApprovalOptions, state: ApprovalState) {
    this.options = options;
    this.relay = new Relay(new Requests(options.supabase));
    this.state = state;
  }

  /** The state as a text. */
  get text(): string {
    return JSON.stringify(this.state);
  }

  /** Which approval it is. */
  get place(): { user_id: string; approval_id: string } {
    return { user_id: this.options.user_id.toLowerCase(), approval_id: this.state.id };
  }

  /** Changes the state, and keeps it. */
  async keep(change: Partial<ApprovalState>): Promise<void> {
    this.state = { ...this.state, ...change };
    await this.options.onState?.(this.text);
  }

  /** Ends the approval on this device. */
  async end(): Promise<void> {
    await this.options.onState?.(null);
  }

  /** Makes the share of this device. */
  async share(): Promise<string> {
    const exchange = exchangeOf(this.place, this.state.code);
    return toBase64(await makeShare(exchange, this.#scalar));
  }

  /**
   * Makes the keys that both devices have.
   *
   * @throws ChatsError `approval_false` if the other share is not one
   */
  async keys(): Promise<ApprovalKeys> {
    const { role, code, other } = this.state;
    const [own, theirs] = [shareBytes(await this.share())!, shareBytes(other)];
    if (!theirs) throw approvalErrors.false();
    const shares = role === "new" ? { new: own, old: theirs } : { new: theirs, old: own };
    const secret = { role, scalar: this.#scalar };
    const keys = await approvalKeys(this.place, exchangeOf(this.place, code), secret, shares);
    if (!keys) throw approvalErrors.false();
    return keys;
  }

  get #scalar(): Bytes {
    return fromBase64(this.state.scalar)!; // this device has written it
  }
}

/** Makes the state of a side that begins. */
export function newState(
  role: "new" | "old",
  known: Pick<ApprovalState, "id" | "code" | "name" | "other">,
): ApprovalState {
  const until = Date.now() + VALIDITY_MS;
  return { role, ...known, scalar: toBase64(randomScalar()), until };
}

/**
 * Reads a state that was kept.
 *
 * @throws ChatsError `invalid_argument` if it is something else; `approval_expired`
 */
export function readState(text: string, role: "new" | "old"): ApprovalState {
  const state = parseObject(text) as ApprovalState | undefined;
  if (state?.role !== role || typeof state.until !== "number") throw approvalErrors.malformed();
  if (Date.now() > state.until) throw approvalErrors.expired();
  return state;
}

/**
 * The side of a device that has the keys: it reads the code of a new device, and lets it in.
 *
 * @module
 */

import { Requests } from "../chats/requests.ts";
import { readCode } from "./approval_code.ts";
import { approvalErrors } from "./approval_errors.ts";
import { openMessage, sealMessage } from "./approval_keys.ts";
import { type ApprovalOptions, ApprovalSide, newState, readState } from "./approval_state.ts";
import { handKeys } from "./handed_keys.ts";
import { Relay, type Wait } from "./relay.ts";

/** A new device that waits, as far as the server says. */
export interface WaitingDevice {
  readonly id: string;
  /** ISO 8601. */
  readonly created_at: string;
  /** ISO 8601. */
  readonly expires_at: string;
}

/**
 * Lists the new devices that wait for a code to be typed. The server, or somebody who has stolen a session, can add to this list
 * as they please: only the code tells which one is the user's.
 *
 * @param options what it works with
 * @throws ChatsError `unreachable`
 */
export async function waitingDevices(options: ApprovalOptions): Promise<WaitingDevice[]> {
  const rows = await new Relay(new Requests(options.supabase)).list();
  return rows.filter(({ reply, closed }) => reply === null && closed === null)
    .map(({ id, created_at, expires_at }) => ({ id, created_at, expires_at }));
}

/** A device that lets a new one in. */
export class Approval {
  readonly #side: ApprovalSide;
  #name: string | undefined;

  private constructor(side: ApprovalSide) {
    this.#side = side;
  }

  /**
   * Begins with the code that the user has read from the new device.
   *
   * @param options what it works with: the keys of `chats` are unlocked
   * @param text the code as it was typed, or the text of the QR code
   * @param id of the waiting device, if the code was typed and several wait (the newest)
   * @throws ChatsError `approval_code_mistyped`: nothing was sent; `approval_not_found`; `approval_false` if the server offers
   * another device than that of the QR code; `keys_locked`; `unreachable`
   */
  static async begin(options: ApprovalOptions, text: string, id?: string): Promise<Approval> {
    const read = readCode(text);
    options.chats.keys.current; // throws if the keys are locked
    const wanted = read.id ?? id;
    const rows = await new Relay(new Requests(options.supabase)).list();
    const row = rows.find((row) =>
      row.reply === null && row.closed === null && (wanted === undefined || row.id === wanted)
    );
    if (!row) throw approvalErrors.notFound();
    if (read.share !== undefined && read.share !== row.share) throw approvalErrors.false();
    const known = { id: row.id, code: read.code, other: row.share };
    const side = new ApprovalSide(options, newState("old", known));
    const reply = await side.share();
    await side.keys(); // the other share is one
    await side.keep({});
    await side.relay.change(row.id, { reply });
    return new Approval(side);
  }

  /**
   * Continues after a reload.
   *
   * @param options what it works with
   * @param state what `onState` was last called with
   * @throws ChatsError `approval_expired`; `invalid_argument` for something else
   */
  static async resume(options: ApprovalOptions, state: string): Promise<Approval> {
    const side = new ApprovalSide(options, readState(state, "old"));
    await side.relay.change(side.state.id, { reply: await side.share() });
    return new Approval(side);
  }

  /** Id of the approval. */
  get id(): string {
    return this.#side.state.id;
  }

  /**
   * Waits for the new device to show that it has the code. Show its name, and ask the user whether to let it in.
   *
   * @param wait how to wait
   * @returns the name of the new device, as it calls itself
   * @throws ChatsError `approval_code_wrong`: nobody was let in, and the new device has to begin again; `approval_refused`,
   * `approval_expired`, `unreachable`
   */
  async name(wait: Wait = {}): Promise<string> {
    if (this.#name !== undefined) return this.#name;
    const side = this.#side;
    const { id, until } = side.state;
    const hello = await side.relay.until(id, (row) => row.hello ?? undefined, { ...wait, until });
    try {
      const opened = await openMessage(await side.keys(), "hello", side.place, hello);
      return this.#name = String((opened as { name?: unknown }).name);
    } catch (error) {
      // Whoever sent it has had their guess.
      await this.refuse();
      throw approvalErrors.codeWrong(error);
    }
  }

  /**
   * Lets the new device in: it receives the data key, and what this device knows of the history of the account.
   *
   * @throws ChatsError `invalid_argument` before `name`; an error of `sync` if the server does not tell the truth;
   * `approval_refused`, `approval_expired`, `keys_locked`, `unreachable`
   */
  async approve(): Promise<void> {
    const side = this.#side;
    const { id, until, answer } = side.state;
    if (this.#name === undefined) throw approvalErrors.nameless();
    if (Date.now() > until) throw approvalErrors.expired();
    const keys = await side.keys();
    if (!answer) {
      const handed = await handKeys(side.options, keys.wrapping);
      await side.keep({ answer: await sealMessage(keys, "answer", side.place, handed) });
    }
    await side.relay.change(id, { answer: side.state.answer! });
    await side.end();
  }

  /** Refuses the new device. */
  async refuse(): Promise<void> {
    await this.#side.relay.close(this.#side.state.id, "refused");
    await this.#side.end();
  }
}

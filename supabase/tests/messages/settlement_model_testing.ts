/**
 * A model of what an answer costs, however it ends: the answer, its two holds, and the account that pays. Credits are
 * integers in units of 0.0001.
 *
 * @module
 */

/** What can happen to an answer. Amounts of the service are in units, and may have decimals. */
export type Event =
  | { name: "write" | "user_finishes"; content: string }
  | { name: "settle"; hold: 0 | 1; status: Ending; amount: number | null; allow_overage: boolean }
  | { name: "spend" | "grant"; amount: number }
  | { name: "user_aborts" | "clean_up" | "holds_expire" | "delete_message" | "delete_parent" }
  | { name: "mark_project_deleted" | "restore_project" | "leave_team" | "join_team" }
  | { name: "delete_account" };

/** How the service ends an answer. */
export type Ending = "complete" | "aborted";

/** Where the answer is, and who pays. */
export interface Setting {
  parent: "conversation" | "project" | "team_project";
  payer: "user" | "team";
  /** The amounts of the two holds. */
  holds: [number, number];
}

/** A line of the payer's statement. */
export interface Line {
  kind: string;
  amount: number;
  requested_amount: number | null;
}

/** The text that a service sends when it settles. */
export const WHOLE = "All of it";

/** The credits that the payer has at first. */
export const FIRST_CREDITS = 1_000_000;

interface Hold {
  amount: number;
  status: "held" | "captured" | "released" | "expired";
  /** The number of the entry for the answer, or null if it cost nothing; undefined until the hold is settled. */
  entry: number | null | undefined;
  /** Whether it no longer says for whom it was held. */
  forgotten?: boolean;
}

/** An answer and its account, as they should be. */
export class SettlementModel {
  message: { status: string; content: string; hold: number | null } | null = {
    status: "streaming",
    content: "",
    hold: null,
  };
  /** The payer's account; null once it is deleted. */
  lines: Line[] | null = [{ kind: "grant", amount: FIRST_CREDITS, requested_amount: null }];
  readonly holds: Hold[];
  #parent: "there" | "deleted" | "gone" = "there";
  #member = true;
  #user = true;

  constructor(readonly setting: Setting) {
    this.holds = setting.holds.map((amount) => ({ amount, status: "held", entry: undefined }));
  }

  /** What is in the account, and what is set aside. */
  totals(): { balance: number; held: number } | null {
    if (!this.lines) return null;
    const open = this.holds.filter((hold) => hold.status === "held");
    return { balance: sum(this.lines), held: sum(open) };
  }

  /** Lets something happen. Returns what the caller gets: a refusal, the entry's amount, or neither. */
  happen(event: Event): string | number | null {
    switch (event.name) {
      case "settle":
        return this.#settle(event);
      case "write":
        return this.#asUser(() => this.#change({ content: event.content }));
      case "user_finishes":
        return this.#asUser(() => this.#end("complete", event.content));
      case "user_aborts":
        return this.#asUser(() => this.#end("aborted", null));
      case "clean_up":
        if (this.message?.status === "streaming") this.message.status = "aborted";
        break;
      case "holds_expire":
        for (const hold of this.holds) if (hold.status === "held") hold.status = "expired";
        break;
      case "delete_message":
        this.message = null;
        break;
      case "delete_parent":
        [this.#parent, this.message] = ["gone", null];
        break;
      case "mark_project_deleted":
        if (this.setting.parent !== "conversation" && this.#parent === "there") {
          this.#parent = "deleted";
        }
        break;
      case "restore_project":
        if (this.#parent === "deleted") this.#parent = "there";
        break;
      case "leave_team":
        this.#member = false;
        break;
      case "join_team":
        this.#member = this.#user;
        break;
      case "delete_account":
        // What ends after the deletion is not forgotten by another one, which finds no user.
        if (!this.#user) break;
        [this.#user, this.#member] = [false, false];
        if (this.setting.parent !== "team_project") this.happen({ name: "delete_parent" });
        if (this.setting.payer === "user") this.lines = null;
        for (const hold of this.holds) {
          hold.forgotten ||= hold.status !== "held";
        }
        break;
      case "grant":
        if (!this.lines) return "account_not_found";
        this.lines.push({ kind: "grant", amount: event.amount, requested_amount: null });
        break;
      case "spend":
        if (!this.lines) return "account_not_found";
        if (this.#available() < event.amount) return "insufficient_credits";
        this.#post("deduct", event.amount, event.amount);
    }
    return null;
  }

  #settle({ hold: index, status, amount, allow_overage }: Event & { name: "settle" }) {
    const hold = this.holds[index];
    if (!this.lines || !hold || hold.forgotten) return "hold_not_found";
    const writable = this.#writable() || this.setting.parent === "team_project" &&
        this.setting.payer === "team";
    const message = this.#parent === "gone" || !writable ? null : this.message;
    if (message && message.hold !== null && message.hold !== index) return "message_settled";
    if (hold.entry === undefined) {
      const refusal = this.#charge(hold, amount, allow_overage);
      if (refusal) return refusal;
    }
    if (message?.hold === null) {
      if (message.status !== "complete") Object.assign(message, { status, content: WHOLE });
      message.hold = index;
    }
    return this.#paid(hold);
  }

  #paid(hold: Hold | undefined): number | null {
    return this.lines?.[hold?.entry ?? -1]?.amount ?? null;
  }

  #charge(hold: Hold, amount: number | null, overage: boolean): string | undefined {
    const asked = Math.floor((amount ?? hold.amount) + 0.5);
    const more = asked - hold.amount;
    const wasOpen = hold.status === "held";
    if (more > 0 && !overage) return "capture_exceeds_hold";
    if (wasOpen && more > 0 && this.#available() < more) return "insufficient_credits";
    if (wasOpen) hold.status = asked === 0 ? "released" : "captured";
    const charged = wasOpen ? asked : Math.min(asked, this.#available());
    hold.entry = null;
    if (charged === 0) return;
    hold.entry = this.lines?.length ?? null;
    hold.status = "captured";
    this.#post("capture", charged, amount ?? hold.amount);
  }

  #post(kind: string, amount: number, asked: number): void {
    const requested_amount = asked === amount ? null : asked;
    this.lines?.push({ kind, amount: -amount, requested_amount });
  }

  #available(): number {
    const { balance = 0, held = 0 } = this.totals() ?? {};
    return balance - held;
  }

  #writable(): boolean {
    return this.setting.parent === "team_project" ? this.#member : this.#user;
  }

  #asUser(act: () => string | number | null): string | number | null {
    const kind = this.setting.parent === "conversation" ? "conversation" : "project";
    if (this.#parent === "gone" || !this.#writable()) return `${kind}_not_found`;
    if (this.#parent === "deleted") return "project_deleted";
    return this.message ? act() : "message_not_found";
  }

  #change(change: { content: string }): string | null {
    if (this.message?.status !== "streaming") return "message_finished";
    Object.assign(this.message, change);
    return null;
  }

  #end(status: Ending, content: string | null): string | number | null {
    const { message } = this;
    if (!message) return null;
    const same = message.status === status && (content ?? message.content) === message.content;
    const paid = this.#paid(this.holds[message.hold ?? -1]);
    if (message.status !== "streaming") return same ? paid : "message_finished";
    Object.assign(message, { status, content: content ?? message.content });
    return null;
  }
}

const sum = (parts: { amount: number }[]) => parts.reduce((total, part) => total + part.amount, 0);

/**
 * A model of the credit ledger, as simple as possible: it stores nothing that can be computed from grants, holds
 * and entries. An owner has one for each unit.
 *
 * @module
 */

import type { Call, Entry, Grant, Hold, Terms } from "./ledger_calls_testing.ts";
import { LAPSES, PAID, PLAIN } from "./ledger_calls_testing.ts";
import type { Owner } from "./ledger_owner_testing.ts";
import { Refusal, refuse } from "./ledger_refusals_testing.ts";
import { CREDIT, HOUR, isAmount, LARGEST_AMOUNT, round } from "./ledger_amounts_testing.ts";
import type { Portion } from "./ledger_portions_testing.ts";
import { byId, negate, split, sum, sumOf, within } from "./ledger_portions_testing.ts";
import { inOrder, itemsOf, NEVER, paysFor, quoteOf, takeItems } from "./ledger_scopes_testing.ts";
import type { Item, Quote } from "./ledger_scopes_testing.ts";

/** The ledger of one account, always settled. */
export class LedgerModel {
  readonly grants: Grant[] = [];
  readonly holds: Hold[] = [];
  readonly entries: Entry[] = [];
  /** Sum of all advances. */
  clock = 0;
  /** Grows a little with each call, so that events in the same hour have an order. */
  #now = 0;
  #overdraftLimit = 0;
  /** The amount that the present call asks for. */
  #asked: number | null = null;
  #ids: string[] = [];
  readonly #owner: Owner;

  /** @param signUpGrantId Id of the sign-up grant, which only an account in credits has. */
  constructor(owner: Owner, signUpGrantId?: string) {
    this.#owner = owner;
    owner.accounts.push(this);
    if (signUpGrantId === undefined) return;
    this.#ids = [signUpGrantId];
    this.#addGrant({ ...PAID, category: "promotional", amount: 100 * CREDIT }, "signup", "pending");
    this.advance(0);
  }

  /** The totals of the account. */
  totals(): Record<"balance" | "held" | "available" | "scoped", number> {
    const [balance, held] = [sum(this.entries), sum(this.#openHolds())];
    const scoped = sum(this.#freePortions().filter(({ grant_id }) => this.#grant(grant_id)?.skus));
    return { balance, held, available: balance - held + this.#overdraftLimit - scoped, scoped };
  }

  /** What a quote of items says. */
  quote(items: Item[]): Quote {
    const room = this.#overdraftLimit - this.#overdraftUsed();
    const limited = this.#freePortions()
      .map((free) => ({ ...free, skus: this.#grant(free.grant_id)?.skus ?? null }));
    return quoteOf(items, this.#draw(items), room, this.totals().available, limited);
  }

  /** A grant with its remaining and held credits. */
  view(grant: Grant): Grant & { remaining: number; held: number } {
    const remaining = grant.status === "pending" ? grant.amount : this.#allocated(grant.id);
    return { ...grant, remaining, held: this.#held(grant.id) };
  }

  /** Lets time pass. Everything that comes due happens in the order of its times. */
  advance(hours: number): void {
    this.clock += hours * HOUR;
    this.#now += hours * HOUR;
    const lasting = this.grants.filter((grant) => !(grant.status in LAPSES));
    const coming = lasting.filter((grant) => grant.status === "pending");
    const due = [
      ...lasting.map((grant) => [grant.expires_at ?? NEVER, 1, grant.id, grant] as const),
      ...this.#openHolds().map((hold) => [hold.expires_at, 2, hold.id, hold] as const),
      ...coming.map((grant) => [grant.effective_at, 3, grant.id, grant] as const),
    ].toSorted(([at, rank, id], [at2, rank2, id2]) => at - at2 || rank - rank2 || byId(id, id2));
    const [at, rank, , thing] = due[0] ?? [NEVER];
    if (!thing || at > this.#now) return;
    this.#become(rank === 3 ? "active" : "expired", thing, at);
    this.advance(0);
  }

  /** Makes a call, with the given ids for what it creates. A Refusal changes nothing. */
  call(call: Call, key: string | null, ids: string[]): object {
    this.#now++;
    this.#ids = ids;
    const request = JSON.stringify([call, this.#owner.accounts.indexOf(this)]);
    const first = this.#owner.firsts.get(key ?? "");
    refuse(first !== undefined && first.request !== request, "PT422 idempotency_key_reused");
    if (first) return { ...first.answer, replayed: true };
    this.#asked = "amount" in call ? call.amount ?? null : null;
    const amount = this.#asked === null ? null : round(this.#asked);
    const nothing = call.name === "capture_credit_hold" && amount === 0;
    refuse(amount !== null && !nothing && !isAmount(amount), "PT422 invalid_amount");
    const handle = this.#handlers[call.name] as (call: Call) => object;
    const rounded = "amount" in call ? { ...call, amount } as Call : call;
    const answer = { replayed: false, ...handle(rounded) };
    if (key) this.#owner.firsts.set(key, { request, answer });
    return answer;
  }

  readonly #handlers: { [Name in Call["name"]]: (call: Call & { name: Name }) => object } = {
    grant_credits: ({ amount, category, priority, external_reference, skus, ...times }) => {
      const known = this.#owner.accounts.flatMap(({ grants }) => grants)
        .filter((grant) => grant.external_reference !== null)
        .find((grant) => grant.external_reference === external_reference);
      const same = known?.amount === amount && known.category === category &&
        this.grants.includes(known);
      refuse(known !== undefined && !same, "PT409 external_reference_used");
      if (known) return { ...this.view(known), replayed: true };
      const effective_at = Math.max(this.#now, this.clock + (times.effective_at ?? 0));
      const expires_at = times.expires_at === null ? null : this.clock + times.expires_at;
      refuse((expires_at ?? Infinity) <= effective_at, "PT422 invalid_grant");
      const [balance, largest] = [sum(this.entries), 10 * LARGEST_AMOUNT];
      refuse(balance + this.#pending() + amount > largest, "PT422 balance_too_large", { largest });
      const about = { amount, category, priority, external_reference, skus };
      const grant = this.#addGrant({ ...about, effective_at, expires_at }, "service", "pending");
      this.advance(0);
      return this.view(grant);
    },
    void_credit_grant: ({ grant_id }) => {
      const grant = this.#grant(grant_id);
      if (!grant) throw new Refusal("PT404 grant_not_found");
      refuse(grant.status === "voided", "PT409 grant_already_voided");
      refuse(grant.status === "expired", "PT409 grant_expired");
      return this.view(this.#become("voided", grant, this.#now));
    },
    deduct_credits: (asked) =>
      this.#post("deduct", negate(this.#charge(itemsOf(asked))), this.#now),
    hold_credits: ({ expires_in, ...asked }) => {
      const amount = sum(itemsOf(asked));
      const allocations = this.#charge(itemsOf(asked)).filter((portion) => portion.grant_id);
      const about = { id: this.#newId(), amount, expires_at: this.#now + expires_in * 1000 };
      const hold = { ...about, allocations, status: "held", captured: null, entry_no: null };
      this.holds.push(hold);
      return hold;
    },
    capture_credit_hold: ({ hold_id, allow_overage, ...asked }) => {
      const hold = this.#openHold(hold_id);
      const held = hold.amount;
      const amount = asked.items ? sum(asked.items) : asked.amount ?? held;
      if (amount === 0) {
        this.#become("released", hold, this.#now);
        const balance_after = sum(this.entries);
        return { entry_no: null, kind: "capture", amount, balance_after, refund_of: null };
      }
      const overage = amount - held;
      refuse(overage > 0 && !allow_overage, "PT422 capture_exceeds_hold", { held });
      // An amount pays for what the hold was made for.
      const pays = ({ grant_id }: Portion, sku: string | null) =>
        !asked.items || paysFor(this.#grant(grant_id)?.skus ?? null, sku);
      const items = asked.items ?? itemsOf({ amount });
      // As the hold drew on them.
      const portions = inOrder(this.grants).flatMap(({ id }) => within(id, hold.allocations));
      const [taken, missing] = takeItems(portions, items, pays);
      const own = portions.flatMap((portion) => within(portion.grant_id, taken));
      const drawn = this.#charge(missing, held - sum(hold.allocations));
      const entry = this.#post("capture", negate([...own, ...drawn]), this.#now);
      Object.assign(hold, { captured: amount, entry_no: entry.entry_no });
      this.#become("captured", hold, this.#now);
      return entry;
    },
    release_credit_hold: ({ hold_id }) =>
      this.#become("released", this.#openHold(hold_id), this.#now),
    refund_credits: ({ entry_no, ...asked }) => {
      const charge = this.entries[entry_no - 1];
      if (!charge) throw new Refusal("PT404 entry_not_found");
      refuse(!["deduct", "capture"].includes(charge.kind), "PT409 entry_not_refundable");
      const refunded = sum(this.entries.filter((entry) => entry.refund_of === entry_no));
      const refundable = -charge.amount - refunded;
      const amount = asked.amount ?? refundable;
      refuse(amount > refundable || amount === 0, "PT422 refund_exceeds_charge", { refundable });
      const [, left] = split(negate(charge.allocations).reverse(), refunded);
      const given = split(left, amount)[0].flatMap((portion) => this.#giveBack(portion));
      const entry = this.#post("refund", given, this.#now, entry_no);
      this.#level(this.#now);
      return entry;
    },
    transfer_credits: ({ amount, incoming }) => {
      const largest = 10 * LARGEST_AMOUNT;
      const moved = -sum(
        this.entries.filter((entry) => entry.kind === "transfer" && entry.amount < 0),
      );
      const there = incoming ? sum(this.entries) + this.#pending() : moved;
      refuse(there + amount > largest, "PT422 balance_too_large", { largest });
      const drawn = incoming ? [] : split(this.#freePortions(), amount)[0];
      const available = incoming ? amount : sum(drawn);
      refuse(available < amount, "PT402 insufficient_credits", { available, required: amount });
      // The other account's grant began before all that this account has got since the last advance.
      const terms = { ...PAID, priority: 0, amount, effective_at: this.clock };
      const given = () => {
        const same = this.grants.find((grant) =>
          grant.source === "transfer" && grant.status === "active" &&
          grant.effective_at === this.clock
        );
        if (same) same.amount += amount;
        return [{ grant_id: (same ?? this.#addGrant(terms, "transfer", "active")).id, amount }];
      };
      const entry = this.#post("transfer", incoming ? given() : negate(drawn), this.#now);
      this.#level(this.#now);
      return incoming
        ? { amount, to_entry_no: entry.entry_no }
        : { amount, from_entry_no: entry.entry_no, balance_after: entry.balance_after };
    },
    set_credit_overdraft: (asked) => {
      const overdraft_limit = round(asked.overdraft_limit);
      refuse(overdraft_limit !== 0 && !isAmount(overdraft_limit), "PT422 invalid_overdraft");
      const used = this.#overdraftUsed();
      refuse(overdraft_limit < used, "PT409 overdraft_in_use", { used });
      this.#overdraftLimit = overdraft_limit;
      return { overdraft_limit, available: this.totals().available };
    },
  };

  #giveBack({ grant_id, amount }: Portion): Portion[] {
    const origin = this.#grant(grant_id);
    if (origin?.status === "active") return [{ grant_id, amount }];
    const repaid = origin ? 0 : Math.min(amount, -this.#allocated(null));
    const [paid, [rest]] = split([{ grant_id, amount }], repaid);
    if (!rest) return paid;
    const expires_at = origin ? this.#now + 30 * 24 * HOUR : null;
    const terms = { ...(origin ?? PAID), ...PLAIN, amount: rest.amount, expires_at };
    return [...paid, { ...rest, grant_id: this.#addGrant(terms, "refund", "active").id }];
  }

  #become<T extends Grant | Hold>(status: string, thing: T, at: number): T {
    thing.status = status;
    const whole = { grant_id: thing.id, amount: thing.amount };
    if (status === "active") this.#post("grant", [whole], at);
    this.#level(at);
    return thing;
  }

  /** Free credits of ended grants lapse, and free credits of others pay the overdraft. */
  #level(at: number): void {
    for (const grant of inOrder(this.grants).filter((grant) => grant.status in LAPSES)) {
      const lapsed = { grant_id: grant.id, amount: -this.#free(grant) };
      if (lapsed.amount < 0) this.#post(LAPSES[grant.status] ?? "", [lapsed], at);
    }
    const [drawn] = this.#draw([{ sku: null, amount: -this.#allocated(null) }]);
    const paid = { grant_id: null, amount: sum(drawn) };
    if (paid.amount > 0) this.#post("repay", [...negate(drawn), paid], at);
  }

  /** Draws items from free credits in spending order. */
  #draw = (items: Item[]) =>
    takeItems(
      this.#freePortions(),
      items,
      ({ grant_id }, sku) => paysFor(this.#grant(grant_id)?.skus ?? null, sku),
    );

  /** Draws items, and what no grant pays for from the overdraft, of which a hold has set something aside. */
  #charge(items: Item[], setAside = 0): Portion[] {
    const [drawn, missing] = this.#draw(items);
    const [uncovered, room] = [sum(missing), this.#overdraftLimit - this.#overdraftUsed()];
    const numbers = { available: sum(drawn) + room, required: sum(items) - setAside };
    refuse(uncovered - setAside > Math.max(0, room), "PT402 insufficient_credits", numbers);
    return uncovered > 0 ? [...drawn, { grant_id: null, amount: uncovered }] : drawn;
  }

  #openHold(id: string): Hold {
    const hold = this.holds.find((hold) => hold.id === id);
    if (!hold) throw new Refusal("PT404 hold_not_found");
    refuse(hold.status === "captured", "PT409 hold_already_captured");
    refuse(hold.status !== "held", `PT409 hold_${hold.status}`);
    return hold;
  }

  #post(kind: string, allocations: Portion[], created_at: number, of: number | null = null): Entry {
    const amount = sum(allocations);
    const place = { entry_no: this.entries.length + 1, balance_after: sum(this.entries) + amount };
    const isAsked = this.#asked === null || this.#asked === Math.abs(amount);
    const rounded = !isAsked && ["deduct", "capture", "refund"].includes(kind);
    const requested_amount = rounded ? this.#asked : null;
    const about = { refund_of: of, created_at, requested_amount };
    const entry = { ...place, kind, amount, allocations, ...about };
    this.entries.push(entry);
    return entry;
  }

  #addGrant(terms: Terms, source: string, status: string): Grant {
    const times = { effective_at: terms.effective_at ?? this.#now, created_at: this.#now };
    const grant: Grant = { ...terms, ...times, id: this.#newId(), source, status };
    this.grants.push(grant);
    return grant;
  }

  #freePortions = () =>
    inOrder(this.grants).filter((grant) => grant.status === "active")
      .map((grant) => ({ grant_id: grant.id, amount: this.#free(grant) }));
  #overdraftUsed = () => sum(this.#openHolds()) - sum(this.#heldPortions()) - this.#allocated(null);
  #pending = () => sum(this.grants.filter((grant) => grant.status === "pending"));
  #newId = () => this.#ids.shift() ?? "an id that was not given";
  #grant = (id: string | null) => this.grants.find((grant) => grant.id === id);
  #openHolds = () => this.holds.filter((hold) => hold.status === "held");
  #heldPortions = () => this.#openHolds().flatMap((hold) => hold.allocations);
  #held = (id: string) => sumOf(id, this.#heldPortions());
  #allocated = (id: string | null) => sumOf(id, this.entries.flatMap((entry) => entry.allocations));
  #free = (grant: Grant) => this.#allocated(grant.id) - this.#held(grant.id);
}

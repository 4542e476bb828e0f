import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from "react";

import { supabase } from "../backend";
import { useChanges } from "../changes";
import { go } from "../route";
import { SparkIcon } from "../ui/icons";

/** What users call what they buy. */
const NAMES: Record<string, string> = { "image.generate": "An image" };

/** Entries in the list. */
const SHOWN = 30;

/** What a new account has: the bar of the balance is full then. */
const FULL = 100;

const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
/** With the sign that is as wide as a plus. */
const signed = (amount: number) =>
  (amount > 0 ? "+" : amount < 0 ? "\u2212" : "") + number.format(Math.abs(amount));
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** The balance, always current. */
export function BalanceCard() {
  const { available } = useChanges();
  return (
    <a className="balance" href="#/credits">
      <span>Credits</span>
      <strong data-testid="balance">
        {available === undefined ? "…" : number.format(available)}
      </strong>
      <meter min={0} max={FULL} low={FULL / 4} value={Math.min(available ?? 0, FULL)} />
    </a>
  );
}

interface Entry {
  id: string;
  sku: string | null;
  amount: number;
  description: string | null;
  created_at: string | null;
}

/** What the credits were spent on. */
export function Credits() {
  const { available } = useChanges();
  const [entries, setEntries] = useState<Entry[]>();
  useEffect(() => {
    supabase.from("credit_transactions").select("id, amount, sku, description, created_at")
      .order("created_at", { ascending: false }).limit(SHOWN)
      .then(({ data }) => data && setEntries(data as Entry[]));
  }, [available]);
  return (
    <section className="page">
      <h1>Credits</h1>
      <p className="lead">
        <strong>{available === undefined ? "…" : number.format(available)}</strong> left to spend
      </p>
      <ul className="entries">
        {entries?.map(({ id, amount, sku, description, created_at }) => (
          <li key={id}>
            <span>{description ?? NAMES[sku ?? ""] ?? (amount > 0 ? "Added" : "Spent")}</span>
            <time className="hint">{created_at && date.format(new Date(created_at))}</time>
            <b className={amount > 0 ? "plus" : ""}>{signed(amount)}</b>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What could not be paid for. */
export interface Shortage {
  /** The beginning of the sentence that ends with the credits: "An image costs". */
  what: string;
  /** Credits. */
  required: number | undefined;
  /** Credits. */
  available: number | undefined;
}

const OutOfCreditsContext = createContext<(shortage: Shortage) => void>(() => {});

/** Returns a function that tells the user that the credits do not suffice. */
export function useOutOfCredits(): (shortage: Shortage) => void {
  return useContext(OutOfCreditsContext);
}

export function OutOfCreditsProvider({ children }: { children: ReactNode }) {
  const [shortage, setShortage] = useState<Shortage>();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (shortage) dialog.current?.showModal();
  }, [shortage]);
  return (
    <OutOfCreditsContext value={setShortage}>
      {children}
      <dialog ref={dialog} className="card" onClose={() => setShortage(undefined)}>
        <SparkIcon />
        <h2>Not enough credits</h2>
        <p>
          {shortage?.required === undefined
            ? "This costs more credits than you have"
            : `${shortage.what} ${number.format(shortage.required)} credits`}
          {shortage?.available !== undefined &&
            `, and you have ${number.format(shortage.available)}`}. Nothing was charged.
        </p>
        <form method="dialog" className="actions">
          <button className="button" onClick={() => go("credits")}>See your credits</button>
          <button className="quiet">Not now</button>
        </form>
      </dialog>
    </OutOfCreditsContext>
  );
}

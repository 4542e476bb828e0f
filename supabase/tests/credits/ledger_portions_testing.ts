/**
 * The portions of an amount in the model of the credit ledger: what each grant gives or receives.
 *
 * @module
 */

/** An amount to or from a grant, or the overdraft if grant_id is null. */
export type Portion = { grant_id: string | null; amount: number };

/** What amounts add up to. */
export const sum = (parts: { amount: number }[]) =>
  parts.reduce((total, part) => total + part.amount, 0);
/** The portions of one grant, or of the overdraft. */
export const within = (id: string | null, parts: Portion[]) =>
  parts.filter((p) => p.grant_id === id);
/** What they add up to. */
export const sumOf = (id: string | null, parts: Portion[]) => sum(within(id, parts));
/** Compares ids as PostgreSQL does. */
export const byId = (a: string, b: string) => a < b ? -1 : 1;
/** Portions in the other direction. */
export const negate = (parts: Portion[]) =>
  parts.map((part) => ({ ...part, amount: -part.amount }));

/** Splits portions into the first ones, which add up to the amount, and the rest. */
export function split(portions: Portion[], amount: number): [Portion[], Portion[]] {
  const [first, rest]: [Portion[], Portion[]] = [[], []];
  for (const { grant_id, amount: whole } of portions) {
    const part = Math.min(whole, amount - sum(first));
    if (part > 0) first.push({ grant_id, amount: part });
    if (part < whole) rest.push({ grant_id, amount: whole - part });
  }
  return [first, rest];
}

/**
 * What a device does at random.
 *
 * @module
 */

/** What a device does, and the weight of each action. The keys are rotated about once in 150 steps. */
const ACTIONS = {
  sync: 20,
  open: 15,
  list: 2,
  create: 8,
  append: 28,
  save: 8,
  compact: 4,
  rename: 5,
  star: 5,
  remove: 2,
  restart: 1,
  rotate: 0.6,
  close: 1.2,
} as const;

/** The name of an action. */
export type Action = keyof typeof ACTIONS;

/** Chooses an action by its weight. */
export function chooseAction(random: () => number): Action {
  const entries = Object.entries(ACTIONS) as [Action, number][];
  const sum = entries.reduce((total, [, weight]) => total + weight, 0);
  let left = random() * sum;
  return entries.find(([, weight]) => (left -= weight) < 0)![0]; // less than the sum is left
}

/**
 * Reads what is stored of answers. Whoever follows the same answer in this process shares its readings.
 *
 * @module
 */

import { adminClient } from "../_shared/clients.ts";
import { call } from "../_shared/rpc.ts";
import type { Reading } from "./begun.ts";
import { findRunning } from "./running.ts";

/** How often the database is asked, in milliseconds: as often as something is stored. */
export const INTERVAL_MS = 250;

/**
 * Reads an answer.
 *
 * @param user_id Its user.
 * @param id Id of the answer, or of its conversation or project.
 * @param after Number of the last part that was read. Default: none.
 * @returns Its state and what is new.
 */
export async function readAnswer(user_id: string, id: string, after = -1): Promise<Reading> {
  const reading = await call(() => adminClient().rpc("read_answer", { user_id, id, after }));
  return reading as unknown as Reading;
}

/** A follower that waits for the next reading. */
interface Waiting {
  /** Number of the last part that it has. */
  after: number;
  resolve(reading: Reading): void;
  reject(error: unknown): void;
}

/** The followers that wait, by user and answer. */
const waiting = new Map<string, Waiting[]>();

/**
 * Reads an answer a moment later, once for all who wait for it then.
 *
 * @param userId Its user.
 * @param id Id of the answer.
 * @param after Number of the last part that was read; -1 for none.
 * @returns Its state and what is new.
 */
export function readNext(userId: string, id: string, after: number): Promise<Reading> {
  const key = `${userId}/${id}`;
  return new Promise((resolve, reject) => {
    const others = waiting.get(key);
    if (others) {
      others.push({ after, resolve, reject });
    } else {
      waiting.set(key, [{ after, resolve, reject }]);
      readForAll(key, userId, id);
    }
  });
}

async function readForAll(key: string, userId: string, id: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, INTERVAL_MS);
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    // Its end, if that happens here, need not be waited for.
    findRunning(id)?.done.then(end, end);
  });
  const all = waiting.get(key) ?? [];
  waiting.delete(key);
  try {
    const reading = await readAnswer(userId, id, Math.min(...all.map(({ after }) => after)));
    for (const { after, resolve } of all) {
      resolve({ ...reading, parts: reading.parts.filter(({ number }) => number > after) });
    }
  } catch (error) {
    for (const { reject } of all) reject(error);
  }
}

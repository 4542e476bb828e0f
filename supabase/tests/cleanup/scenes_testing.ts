/**
 * Scenes for tests of all cleanup jobs: for each job some items that are due and some that are not. A scene's state has
 * no ids or times, so that two scenes can be compared.
 *
 * @module
 */

import { RECORD_SCENES } from "./record_scenes_testing.ts";
import { RETENTION_SCENES } from "./retention_scenes_testing.ts";
import { BATCH_SIZE, type Scene, type Stage } from "./scene_testing.ts";
import { STORAGE_SCENES } from "./storage_scenes_testing.ts";

const SCENES: Record<string, Scene> = {
  ...RECORD_SCENES,
  ...RETENTION_SCENES,
  ...STORAGE_SCENES,
};

/** The jobs that have a scene. */
export const JOBS: string[] = Object.keys(SCENES);

/** Creates a scene for every job, and makes the jobs' batches small and their leases long. */
export async function fillScenes(stage: Stage, label: string): Promise<void> {
  // A lease that a kill has left must not run out before the test looks at it, however long the recovery takes.
  await stage.sql`update private.settings set value = maximum where name = 'cleanup.lease'`;
  for (const [job, scene] of Object.entries(SCENES)) await scene.fill(stage, `${label} ${job}`);
  await setBatches(stage);
}

/** Jobs that look through every account, which are about twenty times as many as a scene's items. */
const THROUGH_ALL = ["credit_reconciliation", "credit_seals", "storage_reconciliation"];

/**
 * Makes the jobs' batches small.
 *
 * @param share Of their usual size here.
 */
export async function setBatches({ sql }: Stage, share = 1): Promise<void> {
  await sql`
    update private.cleanup_jobs set batch_size =
      ${BATCH_SIZE * share}::integer * case when name = any (${THROUGH_ALL}) then 10 else 1 end`;
}

/** Reads the state of every scene, by job. */
export async function readScenes(stage: Stage, label: string): Promise<Record<string, unknown>> {
  const states: Record<string, unknown> = {};
  for (const [job, scene] of Object.entries(SCENES)) {
    states[job] = await scene.state(stage, `${label} ${job}`);
  }
  return states;
}

/** Removes the users of scenes, including the accounts that were corrupted on purpose. */
export async function clearScenes({ sql }: Stage): Promise<void> {
  await sql`delete from auth.users where email like 'scene %'`;
}

/** Expires what killed runs still hold: leases of jobs, claimed removals of objects, and portions of exports. */
export async function passLeases({ sql }: Stage): Promise<void> {
  await sql`update private.cleanup_jobs set leased_until = now() where lease is not null`;
  await sql`update private.storage_removals set due_at = now() where due_at > now()`;
  await sql`update private.account_exports set due_at = now() where state = 'running'`;
}

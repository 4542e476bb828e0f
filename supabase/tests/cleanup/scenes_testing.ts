/**
 * For tests of cleanups as a whole: for each job something that is due and something that is not, and what there is
 * afterwards, said without ids and times, so that two scenes can be compared.
 *
 * @module
 */

import { RECORD_SCENES } from "./record_scenes_testing.ts";
import { BATCH_SIZE, type Scene, type Stage } from "./scene_testing.ts";
import { STORAGE_SCENES } from "./storage_scenes_testing.ts";

const SCENES: Record<string, Scene> = { ...RECORD_SCENES, ...STORAGE_SCENES };

/** The jobs that have a scene. */
export const JOBS: string[] = Object.keys(SCENES);

/** Makes a scene for every job, and the jobs' batches small. */
export async function fillScenes(stage: Stage, label: string): Promise<void> {
  for (const [job, scene] of Object.entries(SCENES)) await scene.fill(stage, `${label} ${job}`);
  await stage.sql`update private.cleanup_jobs set batch_size = ${BATCH_SIZE}`;
}

/** The state of every scene, by its job. */
export async function readScenes(stage: Stage, label: string): Promise<Record<string, unknown>> {
  const states: Record<string, unknown> = {};
  for (const [job, scene] of Object.entries(SCENES)) {
    states[job] = await scene.state(stage, `${label} ${job}`);
  }
  return states;
}

/** Removes the users of scenes, with their books that were spoilt on purpose. */
export async function clearScenes({ sql }: Stage): Promise<void> {
  await sql`delete from auth.users where email like 'scene %'`;
}

/** Lets the time pass of what those hold who are gone: jobs, and objects that they were to remove. */
export async function passLeases({ sql }: Stage): Promise<void> {
  await sql`update private.cleanup_jobs set leased_until = now() where lease is not null`;
  await sql`update private.storage_removals set due_at = now() where due_at > now()`;
}

/**
 * Runs the migrations and the pgTAP tests on PGlite. It is a second PostgreSQL of another major version, and has
 * pgvector, so that the vector parts are tested too.
 *
 * @module
 */

import { PGlite } from "@electric-sql/pglite";
import { pgcrypto } from "@electric-sql/pglite/contrib/pgcrypto";
import { uuid_ossp } from "@electric-sql/pglite/contrib/uuid_ossp";
import { pgtap } from "@electric-sql/pglite-pgtap";
import { vector } from "@electric-sql/pglite-pgvector";

import { listMigrations, MIGRATIONS_DIR } from "./migrations.ts";
import { type Execute, runPgtap, takeRow } from "./pgtap_runner.ts";
import { platformSql } from "./platform.ts";
import { sum } from "./test_outcome.ts";

/** Applies everything and runs every pgTAP file, all in this process. */
export async function runPgtapOnPglite(): Promise<ReturnType<typeof sum>> {
  const db = await PGlite.create({ extensions: { pgcrypto, pgtap, uuid_ossp, vector } });
  try {
    // PGlite's only user is postgres, which is always a superuser.
    const platform = (await platformSql()).replace("create role postgres ", "alter role postgres ");
    await db.exec("create role supabase_admin superuser");
    await db.exec(platform);
    await db.exec("create extension pgtap with schema extensions");
    await db.exec('set search_path = "$user", public, extensions');
    for (const { file } of listMigrations()) {
      await db.exec(await Deno.readTextFile(`${MIGRATIONS_DIR}/${file}`));
    }
    const execute: Execute = async (text, take) => {
      try {
        for (const { rows } of await db.exec(text)) for (const row of rows) takeRow(row, take);
      } finally {
        // All files share one connection, so what a failed file left open is closed.
        await db.exec("rollback");
        await db.exec("reset role");
        await db.exec("discard temp");
      }
    };
    return sum(await runPgtap(execute));
  } finally {
    await db.close();
  }
}

/**
 * PostgREST quotes the names of a function's arguments; `@supabase/lite` does not (seen in 0.10.0), so that an argument
 * whose name is a word of SQL (`limit`) cannot be given.
 *
 * @module
 */

import type { Connection } from "@supabase/lite";
import type { ReservedSql, Sql } from "postgres";

/**
 * Has the connection quote the names in its calls.
 *
 * @param connection A connection that has served no request yet.
 */
export function quoteArgumentNames(connection: Connection): void {
  const { driver } = connection as unknown as { driver: Sql };
  const reserve = driver.reserve.bind(driver);
  driver.reserve = async () => {
    const reserved = await reserve();
    const unsafe = reserved.unsafe.bind(reserved);
    reserved.unsafe = ((query: string, ...rest: []) =>
      unsafe(
        query.replace(/([(,]\s*)([a-z_][a-z0-9_]*) := /gi, '$1"$2" := '),
        ...rest,
      )) as ReservedSql["unsafe"];
    return reserved;
  };
}

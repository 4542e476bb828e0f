/**
 * PostgREST quotes the names of a function's arguments. `@supabase/lite` does not (seen in 0.10.0), so an argument
 * whose name is an SQL keyword (`limit`) cannot be passed.
 *
 * @module
 */

import type { Connection } from "@supabase/lite";
import type { ReservedSql, Sql } from "postgres";

/**
 * Makes the connection quote argument names in its calls.
 *
 * @param connection A connection that has not served a request yet.
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

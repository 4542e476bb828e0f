/**
 * Finds the line of a file of SQL at which the database reports an error.
 *
 * @module
 */

import { Buffer } from "node:buffer";

import { parse } from "libpg-query";
import type { PostgresError, Sql } from "postgres";

/** Ends the transaction in which statements are tried. */
class Undo extends Error {}

/**
 * Finds the line. The database says where it found an error of syntax or an unknown name, but not which statement another
 * error is from. So the statements are repeated one by one, and undone.
 *
 * @param sql A connection on which the file can run.
 * @param text The file, which has failed as a whole.
 * @param error The error.
 * @returns The line, from 1; undefined if it cannot be found.
 */
export async function lineOfError(
  sql: Sql,
  text: string,
  error: PostgresError,
): Promise<number | undefined> {
  if (error.position) return lineAt([...text].slice(0, Number(error.position) - 1).join(""));
  try {
    return await lineOfStatement(sql, text);
  } catch {
    // An error without a line is better than an error about the error.
    return undefined;
  }
}

async function lineOfStatement(sql: Sql, text: string): Promise<number | undefined> {
  // Positions of the parser count bytes.
  const bytes = Buffer.from(text);
  const { stmts = [] } = await parse(text);
  let line: number | undefined;
  await sql.begin(async (transaction) => {
    for (const { stmt_location: start = 0, stmt_len: length } of stmts) {
      const before = bytes.subarray(0, start).toString();
      const statement = bytes.subarray(start, length ? start + length : undefined).toString();
      try {
        await transaction.unsafe(statement).simple();
      } catch (error) {
        const lead = statement.slice(0, lengthOfLead(statement));
        line = lineAt(before + lead) + lineInBlock(statement.slice(lead.length), error);
        throw new Undo();
      }
    }
    throw new Undo();
  }).catch((error) => {
    if (!(error instanceof Undo)) throw error;
  });
  return line;
}

/** Length of the blanks and comments before a statement. */
function lengthOfLead(statement: string): number {
  return statement.match(/^(\s|--.*|\/\*[^]*?\*\/)*/)?.[0].length ?? 0;
}

/** Lines from the beginning of a `do` statement to the line within its block that failed. */
function lineInBlock(statement: string, error: unknown): number {
  const { where = "" } = error as PostgresError;
  const inner = where.match(/PL\/pgSQL function inline_code_block line (\d+)/)?.[1];
  const body = statement.search(/\$\w*\$/);
  if (!inner || body < 0) return 0;
  return lineAt(statement.slice(0, body)) - 1 + Number(inner) - 1;
}

/** The number of the line that follows a text. */
function lineAt(before: string): number {
  return before.split("\n").length;
}

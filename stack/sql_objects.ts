/**
 * Reads SQL statements and their objects with PostgreSQL's own parser.
 *
 * @module
 */

import { parse } from "libpg-query";

/** A node of the parse tree, or a list or value inside it. */
// deno-lint-ignore no-explicit-any -- PostgreSQL has hundreds of node types, and only a few members are read here
export type Node = any;

/** A statement with its text, and the comments before it. */
export interface Statement {
  kind: string;
  node: Node;
  text: string;
}

/**
 * Splits a text into its statements. Their texts joined give the whole text again.
 *
 * @param text Statements of SQL.
 */
export async function statementsOf(text: string): Promise<Statement[]> {
  const { stmts } = await parse(text) as { stmts: Node[] };
  // The parser counts bytes.
  const bytes = new TextEncoder().encode(text);
  const decoder = new TextDecoder();
  const ends = stmts.map(({ stmt_location = 0, stmt_len }, i) =>
    i === stmts.length - 1 || !stmt_len ? bytes.length : stmt_location + stmt_len + 1
  );
  return stmts.map(({ stmt }, i) => {
    const [kind = "", node] = Object.entries<Node>(stmt)[0] ?? [];
    return { kind, node, text: decoder.decode(bytes.subarray(ends[i - 1] ?? 0, ends[i])) };
  });
}

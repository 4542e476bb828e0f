/**
 * What clients subscribe to with `postgres_changes`, as the platform understands it.
 *
 * @module
 */

/** A condition on a column. */
export interface Filter {
  column: string;
  op: string;
  value: string;
  negate: boolean;
}

/** Whose changes a client wants to hear of. */
export interface Subscription {
  event: "*" | "INSERT" | "UPDATE" | "DELETE";
  /** `*` for all. */
  schema: string;
  table: string;
  filters: Filter[];
  columns: string[] | null;
}

const OPERATORS = [
  "eq",
  "neq",
  "lt",
  "lte",
  "gt",
  "gte",
  "in",
  "like",
  "ilike",
  "is",
  "match",
  "imatch",
  "isdistinct",
];

/**
 * Reads what a client sends when it joins.
 *
 * @throws {Error} with the platform's message if it makes no sense.
 */
export function readSubscription(params: Record<string, unknown>): Subscription {
  const { schema, table, filter, select } = params;
  if (typeof schema !== "string" && typeof table !== "string") {
    throw new Error(
      `No subscription params provided. Please provide at least a \`schema\` or \`table\` to subscribe to: ${
        JSON.stringify(params)
      }`,
    );
  }
  const event = String(params.event ?? "*").toUpperCase();
  const columns = Array.isArray(select)
    ? select.filter((column) => typeof column === "string")
    : [];
  return {
    event: ["INSERT", "UPDATE", "DELETE"].includes(event) ? event as Subscription["event"] : "*",
    schema: typeof schema === "string" ? schema : "public",
    table: typeof table === "string" ? table : "*",
    filters: typeof filter === "string" ? readFilters(filter) : [],
    columns: columns.length > 0 ? columns : null,
  };
}

/** Splits at commas that are neither in parentheses nor in quotes. */
const SEGMENTS = /(?:"(?:\\.|[^"\\])*"|\((?:"(?:\\.|[^"\\])*"|[^()"])*\)|[^,])+/g;

function readFilters(text: string): Filter[] {
  if (text.trim() === "") return [];
  return (text.match(SEGMENTS) ?? []).map((segment) => {
    const [, column, not, op = "", value = ""] =
      segment.trim().match(/^([^=]+)=(not\.)?([a-z]+)\.(.*)$/s) ?? [];
    if (!column || !OPERATORS.includes(op)) {
      throw new Error(
        `Error parsing \`filter\` params: ${JSON.stringify(segment.split(/[=.]/).slice(1, 3))}`,
      );
    }
    return { column, op, value: readValue(op, value), negate: not !== undefined };
  });
}

function readValue(op: string, value: string): string {
  if (op !== "in") return value.replace(/^"(.*)"$/s, (_, text) => text.replaceAll(/\\(.)/gs, "$1"));
  const [, list] = value.match(/^\((.*)\)$/s) ?? [];
  if (list === undefined) {
    throw new Error(
      "Error parsing `filter` params: `in` filter value must be wrapped by parentheses",
    );
  }
  return `{${list}}`;
}

/**
 * Removes the parts of a pgTAP file that are about removed objects: entries of lists and whole statements.
 *
 * @module
 */

import { type Node, statementsOf } from "./sql_objects.ts";

/** Names of objects, as a file may name them. */
export interface Names {
  /** Tables, views and types. */
  relations: string[];
  functions: string[];
  /** Quoted values: names of indexes, buckets and cleanup jobs. */
  values: string[];
}

/**
 * Finds the objects that migrations define.
 *
 * @param texts Texts of migrations.
 */
export async function namesIn(texts: string[]): Promise<Names> {
  const relations = new Set<string>();
  const functions = new Set<string>();
  const values = new Set<string>();
  for (const text of texts) {
    for (const { kind, node } of await statementsOf(text)) {
      if (kind === "CreateStmt") relations.add(node.relation.relname);
      if (kind === "ViewStmt") relations.add(node.view.relname);
      if (kind === "CompositeTypeStmt") relations.add(node.typevar.relname);
      if (kind === "CreateEnumStmt") relations.add(last(node.typeName));
      if (kind === "CreateFunctionStmt") functions.add(last(node.funcname));
      if (kind === "IndexStmt") values.add(node.idxname);
      if (kind === "InsertStmt" && node.relation.relname === "bucket_rules") {
        for (const { List } of node.selectStmt.SelectStmt.valuesLists) {
          values.add(List.items[0].A_Const.sval.sval);
        }
      }
    }
  }
  return { relations: [...relations], functions: [...functions], values: [...values] };
}

/**
 * Removes the parts of a file that are about removed domains: sections with a heading `-- DOMAIN: ... ---`, and
 * statements that name one of their objects. A plan with a number of tests becomes `no_plan()`.
 *
 * @param text Text of the file.
 * @param domains Names of the domains.
 * @param gone Names of their objects.
 */
export async function trimTests(text: string, domains: string[], gone: Names): Promise<string> {
  const sections = domains.reduce(removeSections, text);
  const pattern = patternOf(gone);
  if (sections === text && !pattern.test(text)) return text;
  const kept: string[] = [];
  // Statements that call a removed function of the file are removed too.
  let helpers: string[] = [];
  for (const { kind, node, text: statement } of await statementsOf(sections)) {
    const trimmed = trimLists(statement, pattern);
    const isGone = pattern.test(trimmed) ||
      helpers.some((helper) => trimmed.includes(`${helper}(`));
    if (!isGone) kept.push(trimmed);
    else if (kind === "CreateFunctionStmt") helpers = [...helpers, last(node.funcname)];
  }
  return kept.join("").replace(/select plan\(\d+\)/, "select no_plan()");
}

/** Removes the sections of a domain. */
function removeSections(text: string, domain: string): string {
  const heading = /-- \S[^\n]* -{10,}\n/.source;
  return text.replaceAll(
    new RegExp(`-- ${domain}: [^\\n]* -{10,}\\n[^]*?(?=${heading}|select \\* from finish)`, "g"),
    "",
  );
}

function patternOf({ relations, functions, values }: Names): RegExp {
  const words = [
    // Realtime has a table of messages, too.
    ...relations.map((name) => `(?<!realtime\\.)\\b${name}\\b`),
    ...functions.map((name) => `\\b${name}\\(|'${name}'`),
    ...values.map((value) => `'${value}'`),
  ];
  return words.length > 0 ? new RegExp(words.join("|")) : /(?!)/;
}

/** Removes matching items from the lists `values (...), (...)` and `array[...]`, unless none would remain. */
function trimLists(text: string, pattern: RegExp): string {
  let out = "";
  let rest = text;
  for (let match; (match = /\bvalues\s*(?=\()|\barray\[/.exec(rest));) {
    const start = match.index + match[0].length;
    const isArray = match[0].endsWith("[");
    const { items, end } = readItems(rest, start, isArray);
    const kept = items.filter((item) => !pattern.test(item));
    const list = kept.length > 0 ? kept : items;
    out += rest.slice(0, start) + list.join(",");
    rest = rest.slice(end);
  }
  return out + rest;
}

/** Reads comma-separated items from a position: those of an array up to its bracket, or the tuples of a values list. */
function readItems(
  text: string,
  start: number,
  isArray: boolean,
): { items: string[]; end: number } {
  const items: string[] = [];
  let item = start;
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const char = text[i];
    if (char === "'") i = endOfString(text, i);
    else if (char === "-" && text[i + 1] === "-") i = text.indexOf("\n", i);
    else if (char === "(" || char === "[") depth++;
    else if ((char === "]" && depth === 0) && isArray) {
      return { items: [...items, text.slice(item, i)], end: i };
    } else if (char === ")" || char === "]") {
      depth--;
      if (!isArray && depth === 0 && !/^\s*,\s*(--[^\n]*\s*)*\(/.test(text.slice(i + 1))) {
        return { items: [...items, text.slice(item, i + 1)], end: i + 1 };
      }
    } else if (char === "," && depth === 0) {
      items.push(text.slice(item, i));
      item = i + 1;
    }
  }
  return { items: [text.slice(start)], end: text.length };
}

function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] !== "'") continue;
    if (text[i + 1] !== "'") return i;
    i++;
  }
  return text.length;
}

function last(parts: Node[]): string {
  return parts.at(-1)?.String?.sval ?? "";
}

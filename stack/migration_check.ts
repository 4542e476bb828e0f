/**
 * Checks that each database object is defined once, in the file that bears its name. Until the first release,
 * migrations are edited in place.
 *
 * @module
 */

import { listMigrations, MIGRATIONS_DIR } from "./migrations.ts";
import { type Node, statementsOf } from "./sql_objects.ts";

/** Most lines of a migration. A longer one covers more than one subject. */
const MOST_LINES = 600;

/** Statements that change an earlier definition, by the name of their node in PostgreSQL's parse tree. */
const CHANGES: Record<string, string> = {
  AlterFunctionStmt: "alter function",
  AlterPolicyStmt: "alter policy",
  AlterTypeStmt: "alter type",
  AlterEnumStmt: "alter type",
  DeleteStmt: "delete",
  DropStmt: "drop",
  RenameStmt: "rename",
  TruncateStmt: "truncate",
  UpdateStmt: "update",
};

/** One migration. */
export interface MigrationFile {
  file: string;
  text: string;
}

/**
 * Returns what is wrong with the project's migrations; undefined if nothing is wrong.
 */
export async function checkMigrations(): Promise<string | undefined> {
  const files = listMigrations().map(({ file }) => ({
    file,
    text: Deno.readTextFileSync(`${MIGRATIONS_DIR}/${file}`),
  }));
  const faults = await findFaults(files);
  if (faults.length === 0) return undefined;
  return `${faults.join("\n")}\nUntil the first release, edit the definition in its own file.`;
}

/**
 * Finds objects that are not defined once and in one file. Returns a line for each.
 *
 * @param files The migrations in the order in which they are applied.
 */
export async function findFaults(files: MigrationFile[]): Promise<string[]> {
  const faults: string[] = [];
  const definedIn = new Map<string, string>();
  for (const { file, text } of files) {
    const lines = text.trimEnd().split("\n").length;
    if (lines > MOST_LINES) {
      faults.push(`${file}: ${lines} lines; at most ${MOST_LINES} are allowed`);
    }
    for (const { kind, node } of await statementsOf(text)) {
      if (kind in CHANGES) {
        faults.push(
          `${file}: contains the statement ${CHANGES[kind]}, which changes an earlier definition`,
        );
      }
      const created = createdBy(kind, node);
      if (created && node.replace) {
        faults.push(`${file}: contains create or replace ${created}; write create`);
      }
      if (created && definedIn.has(created)) {
        faults.push(`${file}: ${created} is already defined in ${definedIn.get(created)}`);
      }
      if (created) definedIn.set(created, definedIn.get(created) ?? file);
      for (const subject of subjectsOf(kind, node)) {
        const home = definedIn.get(subject);
        if (home && home !== file && !(kind === "AlterTableStmt" && addsReference(node))) {
          faults.push(`${file}: ${VERBS[kind]} ${subject}, which ${home} defines`);
        }
      }
    }
  }
  return faults;
}

/** The object that a statement creates; undefined if it creates none that must be unique. */
function createdBy(kind: string, node: Node): string | undefined {
  switch (kind) {
    case "CreateStmt":
      return `table ${relation(node.relation)}`;
    case "ViewStmt":
      return `view ${relation(node.view)}`;
    case "CompositeTypeStmt":
      return `type ${relation(node.typevar)}`;
    case "CreateEnumStmt":
      return `type ${name(node.typeName)}`;
    case "CreateDomainStmt":
      return `type ${name(node.domainname)}`;
    case "CreateSeqStmt":
      return `sequence ${relation(node.sequence)}`;
    case "CreateSchemaStmt":
      return `schema ${node.schemaname}`;
    case "IndexStmt":
      return `index ${node.relation.schemaname}.${node.idxname}`;
    case "CreateTrigStmt":
      return `trigger ${node.trigname} on ${relation(node.relation)}`;
    case "CreatePolicyStmt":
      return `policy "${node.policy_name}" on ${relation(node.table)}`;
    case "CreateFunctionStmt":
      return `function ${name(node.funcname)}(${argumentsOf(node.parameters)})`;
  }
}

const VERBS: Record<string, string> = {
  AlterTableStmt: "alters",
  CommentStmt: "comments on",
  GrantStmt: "grants or revokes on",
};

/** The objects that a statement adds to, which must be defined in the same file. */
function subjectsOf(kind: string, node: Node): string[] {
  if (kind === "AlterTableStmt") return [`table ${relation(node.relation)}`];
  if (kind === "GrantStmt" && node.targtype === "ACL_TARGET_OBJECT") {
    return (node.objects as Node[]).flatMap((object) => {
      if (object.RangeVar) {
        const which = relation(object.RangeVar);
        return [`table ${which}`, `view ${which}`];
      }
      if (!object.ObjectWithArgs) return [];
      return [functionWithArgs(object.ObjectWithArgs)];
    });
  }
  if (kind !== "CommentStmt") return [];
  const { objtype, object } = node;
  if (objtype === "OBJECT_FUNCTION") return [functionWithArgs(object.ObjectWithArgs)];
  const words = (object.List?.items ?? object.TypeName?.names ?? []).map(word);
  if (objtype === "OBJECT_COLUMN") return [`table ${words.slice(0, -1).join(".")}`];
  const kindOf = { OBJECT_TABLE: "table", OBJECT_VIEW: "view", OBJECT_TYPE: "type" }[
    objtype as string
  ];
  return kindOf ? [`${kindOf} ${words.join(".")}`] : [];
}

/** Whether an alter table only adds foreign keys and their columns, for a reference that was impossible earlier. */
function addsReference(node: Node): boolean {
  const commands = (node.cmds as Node[]).map((cmd) => cmd.AlterTableCmd);
  const isForeignKey = (command: Node) =>
    command.subtype === "AT_AddConstraint" && command.def?.Constraint?.contype === "CONSTR_FOREIGN";
  return commands.some(isForeignKey) &&
    commands.every((command) => isForeignKey(command) || command.subtype === "AT_AddColumn");
}

function functionWithArgs(node: Node): string {
  const types = (node.objargs ?? []).map((type: Node) => typeName(type.TypeName));
  return `function ${name(node.objname)}(${types.join(", ")})`;
}

/** The types of a function's arguments. Unlike results, they are part of its identity. */
function argumentsOf(parameters: Node[] = []): string {
  return parameters
    .map((parameter) => parameter.FunctionParameter)
    .filter(({ mode }) => !["FUNC_PARAM_OUT", "FUNC_PARAM_TABLE"].includes(mode))
    .map(({ argType }) => typeName(argType))
    .join(", ");
}

function typeName(type: Node): string {
  return `${name(type.names)}${type.arrayBounds ? "[]" : ""}`;
}

function relation({ schemaname, relname }: Node): string {
  return schemaname ? `${schemaname}.${relname}` : relname;
}

function name(parts: Node[]): string {
  return parts.map(word).join(".");
}

function word(part: Node): string {
  return part.String?.sval ?? "";
}

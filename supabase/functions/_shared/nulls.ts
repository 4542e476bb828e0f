/**
 * Clients in Dart, Kotlin or Python send an optional member that has no value as null. Null is then the same as no
 * member at all.
 *
 * @module
 */

import type * as z from "zod/mini";

/** What this module reads of the definition of a schema. */
interface Definition {
  type: string;
  innerType?: z.ZodMiniType;
  element?: z.ZodMiniType;
  options?: z.ZodMiniType[];
  shape?: Record<string, z.ZodMiniType>;
}

/** A longer list is refused by its schema: its elements are not worth looking at. */
const LONGEST_LIST = 1000;

/**
 * Leaves out the members that are null and that the schemas know, unless null means something there. Unknown members
 * stay, so that they are refused.
 *
 * @param value What was sent.
 * @param schemas The shapes that it may have.
 */
export function withoutNulls(value: unknown, schemas: z.ZodMiniType[]): unknown {
  const definitions = schemas.flatMap(definitionsOf);
  if (Array.isArray(value)) {
    const elements = definitions.flatMap(({ element }) => element ?? []);
    const isRead = elements.length > 0 && value.length <= LONGEST_LIST;
    return isRead ? value.map((item) => withoutNulls(item, elements)) : value;
  }
  const shapes = definitions.flatMap(({ shape }) => shape ? [shape] : []);
  if (shapes.length === 0 || value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) => {
      const known = shapes.flatMap((shape) => Object.hasOwn(shape, name) ? shape[name] ?? [] : []);
      const isEmpty = member === null && known.length > 0 && !known.some(takesNull);
      return isEmpty ? [] : [[name, withoutNulls(member, known)]];
    }),
  );
}

/** The definitions of a schema, or of the schemas that it chooses from. */
function definitionsOf(schema: z.ZodMiniType): Definition[] {
  const definition = schema.def as Definition;
  const { type, innerType, options } = definition;
  if (type === "union" && options) return options.flatMap(definitionsOf);
  if ((type === "optional" || type === "nullable") && innerType) return definitionsOf(innerType);
  return [definition];
}

/** Whether null is a value of its own for a member, such as "no threshold". */
function takesNull(schema: z.ZodMiniType): boolean {
  const { type, innerType } = schema.def as Definition;
  if (type === "optional") return (innerType?.def as Definition | undefined)?.type === "nullable";
  return type === "nullable" || type === "unknown";
}

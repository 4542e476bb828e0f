/**
 * PostgREST returns `numeric` columns as JSON numbers. `@supabase/lite` returns strings, unless JavaScript would print
 * the same digits (it would print `20` but not `20.0000`; seen in 0.10.0).
 *
 * @module
 */

/** The type parser for `postgresOptions.types` of the connection. */
export const numericAsNumber = {
  numeric: {
    to: 1700,
    from: [1700],
    serialize: (value: unknown): string => String(value),
    parse: (text: string): number => Number(text),
  },
};

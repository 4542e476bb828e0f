/**
 * PostgREST writes `numeric` columns as JSON numbers; `@supabase/lite` as strings, unless the digits
 * are those JavaScript would print (`20` is, `20.0000` is not; seen in 0.10.0).
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

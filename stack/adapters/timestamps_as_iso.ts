/**
 * PostgREST returns times as ISO 8601 (`2026-11-20T10:33:26.5+00:00`, like PostgreSQL's `to_json`).
 * `@supabase/lite` returns PostgreSQL's own text (`2026-11-20 10:33:26.5+00`; seen in 0.10.0), which not every
 * date parser reads.
 *
 * @module
 */

/** The type parsers for `postgresOptions.types` of the connection. */
export const timestampsAsIso = {
  timestamp: {
    to: 1114,
    from: [1114],
    serialize: (value: unknown): string => String(value),
    parse: (text: string): string => text.replace(" ", "T"),
  },
  timestamptz: {
    to: 1184,
    from: [1184],
    serialize: (value: unknown): string => String(value),
    parse: (text: string): string => text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00"),
  },
};

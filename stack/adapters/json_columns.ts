/**
 * `@supabase/lite` encodes the JSON columns of Auth and Storage twice: they contain a JSON string instead of
 * the object (seen in 0.10.0). The real services write the object, and triggers on `auth.users` and policies
 * on `storage.objects` read its members.
 *
 * @module
 */

/** Creates triggers that remove the outer encoding. Run it after the tables have been created. */
export const UNWRAP_JSON_COLUMNS_SQL = `
create function _stack.unwrap_json_columns() returns trigger
language plpgsql set search_path = '' as $$
begin
  return jsonb_populate_record(new, coalesce(
    (select jsonb_object_agg(c.key, (c.value #>> '{}')::jsonb)
      from jsonb_each(to_jsonb(new)) as c
      where c.key = any (tg_argv) and jsonb_typeof(c.value) = 'string'),
    '{}'));
end $$;
create trigger unwrap_json_columns before insert or update on auth.users for each row
  execute function _stack.unwrap_json_columns('raw_app_meta_data', 'raw_user_meta_data');
create trigger unwrap_json_columns before insert or update on auth.identities for each row
  execute function _stack.unwrap_json_columns('identity_data');
create trigger unwrap_json_columns before insert or update on storage.objects for each row
  execute function _stack.unwrap_json_columns('metadata', 'user_metadata');
`;

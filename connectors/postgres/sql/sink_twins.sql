-- Writes the statements that find, among rows to be created, those whose natural key a row of the table has already.
-- Exact equality, so that an index on these columns serves.
-- $1 table  $2 columns of the natural key  $3 key columns  $4 the condition by which a row counts as gone, or null
with catalog as (
    select k.place::int as i, a.attname as name, format_type(a.atttypid, a.atttypmod) as type
      from unnest($2::text[]) with ordinality as k(name, place)
      join pg_attribute a on a.attrelid = to_regclass($1) and a.attname = k.name and a.attnum > 0
)
, parts as (
    select (select string_agg(format('%I %s', name, type), ', ' order by i) from catalog) as types,
           (select string_agg('s' || i, ', ' order by i) from catalog) as names,
           (select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where c.oid = to_regclass($1)) as "table",
           (select string_agg(format('t.%I = command.s%s', name, i), ' and ' order by i) from catalog) as same,
           (select string_agg(format('t.%I', k.name), ', ' order by k.place)
              from unnest($3::text[]) with ordinality as k(name, place)) as key,
           (select string_agg(format('%L, t.%I', k.name, k.name), ', ' order by k.place)
              from unnest($3::text[]) with ordinality as k(name, place)) as named_key,
           '''['' || ' || (select string_agg(format('to_json(t.%I)::text', k.name), ' || '','' || ' order by k.place)
              from unnest($3::text[]) with ordinality as k(name, place)) || ' || '']''' as local_id
)
-- Living rows: somebody made one while the create was on its way.
-- $1 values, one JSON document a row; returns the places, from 1, of those that are there
select format(
    $twins$select coalesce(array_agg(place), '{}') from rows from (
        json_to_recordset($1::json) as (%1$s)
    ) with ordinality as command(%2$s, place)
    where exists (select from %3$s as t where %4$s%5$s)$twins$,
    types, names, "table", same, ' and not ' || $4::text) as twins,
-- Rows that count as gone: the create is to bring one back. Null where the table has no such rows.
-- $1 as above; returns place, key as JSON object text, and local id of the first such row of each
case when $4::text is not null then format(
    $resting$select command.place, found.keys, found.local_id from rows from (
        json_to_recordset($1::json) as (%1$s)
    ) with ordinality as command(%2$s, place)
    cross join lateral (select json_build_object(%7$s)::text as keys, %8$s as local_id from %3$s as t
                         where %4$s and %5$s order by %6$s limit 1) as found$resting$,
    types, names, "table", same, $4::text, key, named_key, local_id) end as resting
  from parts

-- Writes the statement that finds, among rows to be created, those whose natural key a row of the table has already:
-- somebody made it while the create was on its way. Exact equality, so that an index on these columns serves.
-- $1 table  $2 columns of the natural key
with catalog as (
    select k.place::int as i, a.attname as name, format_type(a.atttypid, a.atttypmod) as type
      from unnest($2::text[]) with ordinality as k(name, place)
      join pg_attribute a on a.attrelid = to_regclass($1) and a.attname = k.name and a.attnum > 0
)
-- $1 values, one JSON document a row; returns the places, from 1, of those that are there
select format(
    $twins$select coalesce(array_agg(place), '{}') from rows from (
        json_to_recordset($1::json) as (%1$s)
    ) with ordinality as command(%2$s, place)
    where exists (select from %3$s as t where %4$s)$twins$,
    (select string_agg(format('%I %s', name, type), ', ' order by i) from catalog),
    (select string_agg('s' || i, ', ' order by i) from catalog),
    (select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.oid = to_regclass($1)),
    (select string_agg(format('t.%I = command.s%s', name, i), ' and ' order by i) from catalog)
) as twins

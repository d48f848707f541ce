-- Writes the statements that find, among rows to be created, those whose natural key a row of the table has already.
-- Exact equality, so that an index on these columns serves. Values travel as in sink_statements.sql.
-- $1 table  $2 columns of the natural key  $3 key columns  $4 the condition by which a row counts as gone, or null
-- $5 the columns that are read as documents
with recursive beneath as (
    select a.attname as name, t.oid as type, t.typtype, t.typbasetype, a.atttypmod as modifier, t.typtypmod
      from pg_attribute a join pg_type t on t.oid = a.atttypid
     where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
    union all
    select b.name, t.oid, t.typtype, t.typbasetype, b.typtypmod, t.typtypmod
      from beneath b join pg_type t on t.oid = b.typbasetype
     where b.typtype = 'd'
), catalog as (
    select k.place::int as i, b.name,
           b.name = any ($5::text[]) or b.type in ('json'::regtype, 'jsonb'::regtype) as whole,
           format(case when b.name = any ($5::text[])
                       then '(select v.v from json_to_record(json_build_object(''v'', given.s%1$s)) as v(v %2$s)) as s%1$s'
                       when b.type in ('varchar'::regtype, 'bpchar'::regtype) then 'given.s%1$s::%3$s as s%1$s'
                       else 'given.s%1$s::%2$s as s%1$s' end,
                  k.place, format_type(b.type, b.modifier), format_type(b.type, -1)) as typed
      from unnest($2::text[]) with ordinality as k(name, place)
      join beneath b on b.name = k.name and b.typtype <> 'd'
), parts as (
    select format('with command as materialized (select %s, place from rows from (%s) with ordinality as given(%s, place))',
                  string_agg(typed, ', ' order by i),
                  string_agg(format(case when whole then 'json_array_elements($%s::json)' else 'json_array_elements_text($%s::json)' end,
                                    i), ', ' order by i),
                  string_agg('s' || i, ', ' order by i)) as command,
           (select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where c.oid = to_regclass($1)) as "table",
           string_agg(format('t.%I = command.s%s', name, i), ' and ' order by i) as same,
           (select string_agg(format('t.%I', k.name), ', ' order by k.place)
              from unnest($3::text[]) with ordinality as k(name, place)) as key,
           '''['' || ' || (select string_agg(format('to_json(t.%I)::text', k.name), ' || '','' || ' order by k.place)
              from unnest($3::text[]) with ordinality as k(name, place)) || ' || '']''' as local_id
      from catalog
)
-- Living rows: somebody made one while the create was on its way.
-- $1 … one array for each column of the natural key; returns the places, from 1, of those that are there
select format(
    $twins$%1$s
    select coalesce(array_agg(command.place), '{}') from command
     where exists (select from %2$s as t where %3$s%4$s)$twins$,
    command, "table", same, ' and not ' || $4::text) as twins,
-- Rows that count as gone: the create is to bring one back. Null where the table has no such rows.
-- Parameters as above; returns place and local id of the first such row of each
case when $4::text is not null then format(
    $resting$%1$s
    select command.place, found.local_id from command
    cross join lateral (select %2$s as local_id from %3$s as t where %4$s and %5$s order by %6$s limit 1) as found$resting$,
    command, local_id, "table", same, $4::text, key) end as resting
  from parts

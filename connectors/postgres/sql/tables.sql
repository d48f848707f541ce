-- What a table is and whether it can take part.
-- $1 its name as the project file has it   $2 the key columns asked for, or null for the primary key
-- One line, or none where there is no such table. `key_refusal` says why it cannot take part; null: it can.
-- A key must be a set of not-null columns with a unique index of its own that is checked at once: a deferred check
-- lets two transactions hold one key for a while, and the log would show them in the wrong order.
with found as (
    select c.oid, c.relkind, c.relpersistence, n.nspname,
           coalesce($2::text[],
                    (select array_agg(a.attname::text order by k.place)
                       from pg_index i
                       cross join unnest(i.indkey::int2[]) with ordinality as k(number, place)
                       join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number
                      where i.indrelid = c.oid and i.indisprimary),
                    '{}') as key
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.oid = to_regclass($1)
), described as (
    select f.oid,
           jsonb_agg(jsonb_build_object(
               'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'nullable', not a.attnotnull,
               'has_default', a.atthasdef and a.attgenerated = '' or a.attidentity <> '',
               'generated', a.attgenerated <> '' or a.attidentity = 'a',
               'values', coalesce((select jsonb_agg(e.enumlabel order by e.enumsortorder)
                                     from pg_enum e where e.enumtypid = a.atttypid), '[]')) order by a.attnum) as columns,
           md5(string_agg(a.attname || ':' || format_type(a.atttypid, a.atttypmod), ',' order by a.attnum)) as fingerprint,
           array_agg(a.attname::text) filter (where a.attgenerated = 'v') as virtual
      from found f join pg_attribute a on a.attrelid = f.oid and a.attnum > 0 and not a.attisdropped
     group by f.oid
)
select f.oid::bigint as relation, format('%I.%I', f.nspname, c.relname) as name, f.key, d.columns::text as columns,
       d.fingerprint, coalesce(d.virtual, '{}') as virtual,
       case
           when f.relkind in ('v', 'm') then 'it is a view'
           when f.relkind = 'f' then 'it is a foreign table; its rows change elsewhere'
           when f.relkind not in ('r', 'p') then 'it is not a table'
           when c.relispartition then 'it is a partition; name the partitioned table'
           when f.relpersistence = 't' then 'it is a temporary table'
           when f.nspname in ('duplex', 'pg_catalog', 'information_schema') then 'it belongs to the system'
           when cardinality(f.key) = 0 then 'it has no primary key, and `key` names no other'
           when exists (select from unnest(f.key) k where k not in
                        (select a.attname from pg_attribute a where a.attrelid = f.oid and a.attnum > 0))
               then 'its `key` names a column that it does not have'
           when exists (select from pg_attribute a where a.attrelid = f.oid and a.attname = any (f.key)
                           and not a.attnotnull)
               then 'a column of its `key` may be null'
           when exists (select from pg_attribute a where a.attrelid = f.oid and a.attname = any (f.key)
                           and a.attgenerated = 'v')
               then 'a column of its `key` is generated when read'
           when not exists (
               select from pg_index i
                where i.indrelid = f.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
                  and (select array_agg(a.attname::text order by a.attname)
                         from unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) as k(number)
                         join pg_attribute a on a.attrelid = f.oid and a.attnum = k.number)
                      = (select array_agg(k order by k) from unnest(f.key) k))
               then 'no unique index covers exactly the columns of its `key`'
           when not exists (
               select from pg_index i
                where i.indrelid = f.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
                  and i.indimmediate
                  and (select array_agg(a.attname::text order by a.attname)
                         from unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) as k(number)
                         join pg_attribute a on a.attrelid = f.oid and a.attnum = k.number)
                      = (select array_agg(k order by k) from unnest(f.key) k))
               then 'the uniqueness of its key is deferrable'
       end as key_refusal
  from found f join pg_class c on c.oid = f.oid join described d on d.oid = f.oid

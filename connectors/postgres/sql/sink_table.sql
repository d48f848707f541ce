-- What the sink must know of a table before it can write to it: one line per column, in table order.
-- $1 the table's name as the project file has it. No lines: there is no such table.
-- `omissible`: a create may leave the column out, the table has a value for it. `key_place`: 1, 2 … in the primary key.
select c.oid::bigint as table_oid,
       a.attname::text as name,
       a.attnotnull as not_null,
       (a.atthasdef or a.attidentity <> '') as omissible,
       a.attgenerated <> '' as generated,
       (select k.place from pg_index i, unnest(i.indkey::int2[]) with ordinality as k(attnum, place)
         where i.indrelid = c.oid and i.indisprimary and k.attnum = a.attnum)::int as key_place
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
 where c.oid = to_regclass($1)
 order by a.attnum

-- What the sink must know of a table before it can write to it: one line per column, in table order.
-- $1 the table's name as the project file has it. No lines: there is no such table.
-- `omissible`: a create may leave the column out, the table has a value for it. `key_place`: 1, 2 … in the primary key.
-- `document`: its values are read by json_to_record, not cast from text to its type: types that read JSON in a way of
-- their own (arrays, composites), whose cast from text is not their input function (xml, name, types of extensions), or
-- would cut what is too long (bits).
with recursive beneath as (
    select a.attnum, t.oid as type, t.typtype, t.typbasetype
      from pg_attribute a join pg_type t on t.oid = a.atttypid
     where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
    union all
    select b.attnum, t.oid, t.typtype, t.typbasetype
      from beneath b join pg_type t on t.oid = b.typbasetype
     where b.typtype = 'd'
)
select c.oid::bigint as table_oid,
       a.attname::text as name,
       a.attnotnull as not_null,
       (a.atthasdef or a.attidentity <> '') as omissible,
       a.attgenerated <> '' as generated,
       (select k.place from pg_index i, unnest(i.indkey::int2[]) with ordinality as k(attnum, place)
         where i.indrelid = c.oid and i.indisprimary and k.attnum = a.attnum)::int as key_place,
       not (t.typtype = 'e'
            or t.typnamespace = 'pg_catalog'::regnamespace and t.typtype in ('b', 'r', 'm') and t.typcategory <> 'A'
               and not t.oid in ('bit'::regtype, 'varbit'::regtype)
               and not exists (select from pg_cast p where p.castsource = 'text'::regtype and p.casttarget = t.oid
                                  and p.castmethod = 'f')) as document
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  join beneath b on b.attnum = a.attnum and b.typtype <> 'd'
  join pg_type t on t.oid = b.type
 where c.oid = to_regclass($1)
 order by a.attnum

-- What a table's way of removing rows means in SQL, and what speaks against it. One line.
-- $1 table (oid)  $2 its key columns  $3 the columns that are mapped
-- $4 {"mode": "remove" | "inactive" | "archive", "column": …, "value": …, "restore": …, "archive": …}
-- $5 the archive table (oid; null: there is none by that name, or it is our own)
--
-- gone       of the row t: it counts as gone. Null where only a row that is not there is gone
-- retired    the assignment that makes a row gone; restored: the one that brings it back
-- archived   the statement that keeps what `written` took from the table: columns by name, as far as both have them.
--            $7 is the entity, as in the deleting statement of sink_statements.sql
-- trial      a query that fails if the values do not fit the column
-- refusal    why rows cannot be removed so; null: they can
with recursive beneath as (
    select a.attnum, t.oid as type, t.typtype, t.typbasetype, a.atttypmod as modifier, t.typtypmod
      from pg_attribute a join pg_type t on t.oid = a.atttypid
     where a.attrelid = $1::bigint::oid and a.attnum > 0 and not a.attisdropped
    union all
    select b.attnum, t.oid, t.typtype, t.typbasetype, b.typtypmod, t.typtypmod
      from beneath b join pg_type t on t.oid = b.typbasetype
     where b.typtype = 'd'
), kept as (
    select a.attname as name, a.attnum as number, a.attnotnull as not_null, b.type,
           a.attgenerated <> '' or a.attidentity = 'a' as fixed,
           format_type(b.type, b.modifier) as exact_type,
           case when b.type in ('json'::regtype, 'jsonb'::regtype) then '%s::jsonb'
                when b.type in ('bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype,
                     'float4'::regtype, 'float8'::regtype, 'date'::regtype, 'timestamp'::regtype,
                     'timestamptz'::regtype, 'uuid'::regtype) or t.typtype = 'e' then '%s'
                else '%s::text collate "C"' end as compared
      from beneath b
      join pg_attribute a on a.attrelid = $1::bigint::oid and a.attnum = b.attnum
      join pg_type t on t.oid = b.type
     where b.typtype <> 'd'
), asked as (
    select r ->> 'mode' as mode, r ->> 'column' as column_name, r ->> 'archive' as archive_name,
           case when c.compared = '%s::jsonb' then (r -> 'value')::text else r ->> 'value' end as value,
           case when c.compared = '%s::jsonb' then (r -> 'restore')::text else r ->> 'restore' end as restore,
           json_typeof(r -> 'value') in ('array', 'object') and c.compared <> '%s::jsonb' as composed,
           c.*
      from (select $4::json as r) given left join kept c on c.name = r ->> 'column'
), target as (
    select a.attname as name, a.atttypid as type, a.atttypid::regtype::text as type_name,
           a.attnotnull and not a.atthasdef and a.attidentity = '' as must_be_given,
           a.attgenerated <> '' as generated
      from pg_attribute a where a.attrelid = $5::bigint::oid and a.attnum > 0 and not a.attisdropped
), common as (
    select k.name, k.number, target.type_name, k.exact_type,
           k.type = target.type or b.typcategory = 'S'
               or exists (select from pg_cast p where p.castsource = k.type and p.casttarget = b.oid
                             and p.castcontext in ('i', 'a')) as fits
      from kept k join target on target.name = k.name and not target.generated
      join lateral (with recursive under as (
              select t.oid, t.typtype, t.typbasetype, t.typcategory from pg_type t where t.oid = target.type
              union all
              select t.oid, t.typtype, t.typbasetype, t.typcategory from under join pg_type t on t.oid = under.typbasetype
               where under.typtype = 'd'
           ) select u.oid, u.typcategory from under u where u.typtype <> 'd') b on true
), archive as (
    select format('%I.%I', n.nspname, c.relname) as name, c.relkind
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = $5::bigint::oid
)
select case when mode = 'inactive' and name is not null then
           format('(%s is not distinct from %s)', format(compared, format('t.%I', name)),
                  format(compared, format('%L::%s', value, exact_type))) end as gone,
       case when mode = 'inactive' and name is not null then format('%I = %L::%s', name, value, exact_type) end as retired,
       case when mode = 'inactive' and name is not null then format('%I = %L::%s', name, restore, exact_type) end as restored,
       case when mode = 'archive' and archive_name is null then
                'insert into duplex.archive (entity, local_id, row, command)'
                ' select $7, found.local_id, found.image::jsonb, found.id from written join found using (place)'
            when mode = 'archive' then
                format('insert into %s (%s) overriding system value select %s from written', (select a.name from archive a),
                       (select string_agg(format('%I', c.name), ', ' order by c.number) from common c),
                       (select string_agg(format('(written.kept).%I', c.name), ', ' order by c.number) from common c))
            end as archived,
       case when mode = 'inactive' and name is not null
            then format('select %L::%s, %L::%s', value, exact_type, restore, exact_type) end as trial,
       case
           when mode = 'inactive' and name is null then format('it has no column %s to mark deleted rows with', column_name)
           when mode = 'inactive' and name = any ($2::text[])
               then format('column %s, which marks deleted rows, belongs to its key', name)
           when mode = 'inactive' and name = any ($3::text[])
               then format('column %s marks deleted rows, so it cannot be mapped to a field', name)
           when mode = 'inactive' and fixed then format('column %s, which marks deleted rows, cannot be written', name)
           when mode = 'inactive' and composed then format('column %s cannot be compared with a list or an object', name)
           when mode = 'inactive' and value is not distinct from restore
               then format('column %s is to hold the same value in deleted rows and in others', name)
           when mode = 'inactive' and not_null and (value is null or restore is null)
               then format('column %s, which marks deleted rows, may not be null', name)
           when mode = 'archive' and archive_name is not null and not exists (select from archive)
               then format('there is no table %s to archive deleted rows in', archive_name)
           when mode = 'archive' and $5::bigint = $1::bigint then 'it cannot be its own archive'
           when mode = 'archive' and (select a.relkind from archive a) not in ('r', 'p')
               then format('%s is not a table, so it cannot archive deleted rows', archive_name)
           when mode = 'archive' and archive_name is not null
                and exists (select from unnest($2::text[] || $3::text[]) w(name) where not w.name in (select c.name from common c))
               then format('its archive %s has no column %s', archive_name,
                           (select w.name from unnest($2::text[] || $3::text[]) with ordinality w(name, place)
                             where not w.name in (select c.name from common c) order by w.place limit 1))
           when mode = 'archive' and exists (select from common c where not c.fits)
               then (select format('column %s (%s) does not fit that of its archive %s (%s)', c.name, c.exact_type, archive_name,
                                   c.type_name) from common c where not c.fits order by c.number limit 1)
           when mode = 'archive' and exists (select from target g where g.must_be_given and not g.generated
                                                and not g.name in (select c.name from common c))
               then (select format('column %s of its archive %s must have a value, and the table has none for it', g.name,
                                   archive_name) from target g
                      where g.must_be_given and not g.generated and not g.name in (select c.name from common c)
                      order by g.name limit 1)
       end as refusal
  from asked

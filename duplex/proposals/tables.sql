-- Every table that could take part: its columns in order, their types in full, its primary key.
-- Parameters: none. One row per table; columns and key as JSON arrays. System schemas and duplex's own are left out.
select
    namespace.nspname as schema_name,
    class.relname as table_name,
    (
        select json_agg(
            json_build_object('name', attribute.attname,
                              'type', format_type(attribute.atttypid, attribute.atttypmod),
                              'base', base.typcategory,
                              'unique', exists (
                                  select from pg_index as one
                                  where one.indrelid = class.oid and one.indisunique and one.indpred is null
                                    and one.indnkeyatts = 1 and one.indkey[0] = attribute.attnum),
                              'generated', attribute.attgenerated <> '' or attribute.attidentity = 'a')
            order by attribute.attnum)
        from pg_attribute as attribute
        join pg_type as base on base.oid = attribute.atttypid
        where attribute.attrelid = class.oid and attribute.attnum > 0 and not attribute.attisdropped
    )::text as columns,
    coalesce((
        select json_agg(attribute.attname order by place.number)
        from pg_index as primary_key
        cross join lateral unnest(primary_key.indkey) with ordinality as place (attnum, number)
        join pg_attribute as attribute on attribute.attrelid = class.oid and attribute.attnum = place.attnum
        where primary_key.indrelid = class.oid and primary_key.indisprimary
    ), '[]')::text as key
from pg_class as class
join pg_namespace as namespace on namespace.oid = class.relnamespace
where class.relkind in ('r', 'p')
  and not class.relispartition
  and namespace.nspname not in ('pg_catalog', 'information_schema', 'duplex')
  and namespace.nspname not like 'pg\_%'
order by namespace.nspname, class.relname

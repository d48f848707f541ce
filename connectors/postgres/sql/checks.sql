-- The state of the capture of every captured table, a line each. All columns say what is well when true.
-- Asked by the relay's role: the catalog is open to everyone.
select c.entity, c.table_name,
       r.oid is not null as present,
       coalesce(quote_ident(n.nspname) || '.' || quote_ident(r.relname) = c.table_name, false) as same_table,
       coalesce((select array_agg(a.attname::text order by k.place)
                   from unnest(c.key_numbers) with ordinality as k(number, place)
                   join pg_attribute a on a.attrelid = c.relation and a.attnum = k.number and not a.attisdropped)
                = c.key_columns, false) as same_key,
       -- One trigger for all (tgtype 29), or one for deletes beside three that a partition or an heir has no use for.
       coalesce((select g.tgenabled = 'A'
                        and (g.tgtype = 29
                             or (select count(*) = 3 from pg_trigger h
                                  where h.tgrelid = c.relation
                                    and (h.tgname, h.tgenabled) in (('!duplex_insert', 'O'), ('!duplex_update', 'O'),
                                                                    ('!duplex_replica', 'R')))
                                and not r.relispartition
                                and not exists (select from pg_inherits i where c.relation in (i.inhrelid, i.inhparent)))
                   from pg_trigger g
                  where g.tgrelid = c.relation and g.tgname = '!duplex_capture'), false) as captures,
       coalesce((select g.tgenabled = 'A' from pg_trigger g
                  where g.tgrelid = c.relation and g.tgname = '!duplex_truncate'), false) as truncations,
       not exists (select from pg_partition_tree(c.relation) t
                    where t.isleaf and t.relid <> c.relation
                      and (not exists (select from pg_trigger g where g.tgrelid = t.relid and g.tgenabled = 'A'
                                          and g.tgname = '!duplex_capture')
                           or not exists (select from pg_trigger g where g.tgrelid = t.relid and g.tgenabled = 'A'
                                             and g.tgname = '!duplex_truncate'))) as partitions,
       r.oid is null or (select bool_and(has_table_privilege(m.sink_role, r.oid, p.name))
                           from unnest(array['select', 'insert', 'update', 'delete']) as p(name)) as writable,
       c.columns <@ (select coalesce(array_agg(a.attname::text), '{}') from pg_attribute a
                      where a.attrelid = c.relation and a.attnum > 0 and not a.attisdropped) as columns_there,
       coalesce((select d.fingerprint from (
                    select md5(string_agg(a.attname || ':' || format_type(a.atttypid, a.atttypmod), ',' order by a.attnum)) as fingerprint
                      from pg_attribute a where a.attrelid = c.relation and a.attnum > 0 and not a.attisdropped) d), '')
           as fingerprint,
       c.relation::bigint as relation, c.key_columns, c.archive::bigint as archive,
       c.archive is null or s.oid is not null as archive_there,
       c.removal ->> 'mode' <> 'archive' or (c.archive is not null and s.oid is null)
           or (has_table_privilege(m.sink_role, coalesce(s.oid, 'duplex.archive'::regclass), 'insert')
               and has_schema_privilege(m.sink_role, coalesce(s.relnamespace, 'duplex'::regnamespace), 'usage')) as archivable,
       r.relpersistence is distinct from 'u' as logged
  from duplex.meta m
 cross join duplex.captured c
  left join pg_class r on r.oid = c.relation
  left join pg_namespace n on n.oid = r.relnamespace
  left join pg_class s on s.oid = c.archive
 order by c.entity

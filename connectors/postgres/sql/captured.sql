-- Records that an entity's table is captured, or what is new about it; true if this is its first line.
-- $1 entity  $2 relation  $3 table  $4 key columns  $5 mapped columns  $6 units  $7 constants  $8 fingerprint
-- $9 removal  $10 the user's table of archived rows, or null
insert into duplex.captured as c
       (entity, relation, table_name, key_columns, key_numbers, columns, units, constants, fingerprint,
        removal, archive)
select $1, $2::bigint::oid, $3, $4::text[],
       (select array_agg(a.attnum order by k.place)
          from unnest($4::text[]) with ordinality as k(name, place)
          join pg_attribute a on a.attrelid = $2::bigint::oid and a.attname = k.name),
       $5::text[], $6::jsonb, $7::jsonb, $8, $9::jsonb, $10::bigint::oid
    on conflict (entity) do update
   set table_name = excluded.table_name, key_columns = excluded.key_columns, key_numbers = excluded.key_numbers,
       columns = excluded.columns, units = excluded.units, constants = excluded.constants,
       fingerprint = excluded.fingerprint, removal = excluded.removal, archive = excluded.archive
returning c.xmax = 0

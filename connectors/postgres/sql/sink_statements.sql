-- Writes the sink's statements for one table: their text, with every name and type taken from the catalog.
-- $1 table  $2 key columns  $3 units [["email"], ["street", "city"]], which are compared and set as a whole
-- $4 the columns that a create sets (key columns included where the create knows them)
-- $5 true for a create that is a batch of one: its row is known without asking which key it got
-- $6 gone  $7 retired  $8 restored  $9 archived: parts of statements for the table's way of removing rows, from
--    removal.sql; null where it has another way. No update writes to a row that counts as gone.
-- $10 the columns that are read as documents: `document` in sink_table.sql
--
-- Each writing statement marks its table as being applied (duplex.applying, until the end of the transaction), so that
-- the capture trigger leaves the statement's own rows to it. The mark is set before the first row is written.
--
-- Values travel as JSON, one array per column, which costs both sides less than one document per row; they become typed
-- columns by a cast of their text to the column's type, which is its input function, or, those of $10, by
-- json_to_record. A domain is read as the type beneath it, because a column that a command does not touch reads as
-- null, which a domain may forbid; the write itself checks the domain. `b…` are base values, without the column's
-- length or scale, so that a base is never rounded; `s…` are values to set, with them, so that what the row will really
-- hold is what is compared. Of strings, an explicit cast would cut off what is too long: they are cast without their
-- length, and the write refuses them.
--
-- Two values are the same when:
--   json, jsonb          equal as jsonb (spacing and key order say nothing); JSON null and SQL null are one
--   text of any kind, citext, and whatever else is not named here (interval, xml, geometry, composites, extensions'
--                        types)  their text is equal byte for byte. The type's own `=` may call different values
--                        equal: citext and nondeterministic collations, '1 mon' and '30 days', boxes of one area
--   numbers, dates and times, booleans, uuid, bytea, bits, enums, ranges, network addresses, arrays of these
--                        the type's own `=`: 1.50 is 1.5, 12:00+02 is 10:00+00; NaN is NaN, and null is null
-- A bpchar is padded by its type on both sides and so compared as it is stored.
with recursive beneath as (
    select a.attnum, t.oid as type, t.typtype, t.typbasetype, a.atttypmod as modifier, t.typtypmod
      from pg_attribute a join pg_type t on t.oid = a.atttypid
     where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
    union all
    select b.attnum, t.oid, t.typtype, t.typbasetype, b.typtypmod, t.typtypmod
      from beneath b join pg_type t on t.oid = b.typbasetype
     where b.typtype = 'd'
), catalog as (
    select a.attname as name, b.type, b.modifier,
           a.attgenerated <> '' or a.attidentity = 'a' as fixed,
           case when a.attidentity <> ''
                then format('nextval(%L::regclass)', pg_get_serial_sequence($1, a.attname))
                else (select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d
                       where d.adrelid = a.attrelid and d.adnum = a.attnum and a.attgenerated = '')
           end as fallback,
           b.type in ('json'::regtype, 'jsonb'::regtype) or a.attname = any ($10::text[]) as whole,
           case when b.type in ('json'::regtype, 'jsonb'::regtype) then 'case json_typeof(%1$s) when ''null'' then null else %1$s::' || loose.type || ' end'
                when a.attname = any ($10::text[])
                then '(select v.v from json_to_record(json_build_object(''v'', %s)) as v(v ' || replace(loose.type, '%', '%%') || '))'
                else '%s::' || replace(loose.type, '%', '%%') end as loosely,
           case when b.type in ('json'::regtype, 'jsonb'::regtype) then 'case json_typeof(%1$s) when ''null'' then null else %1$s::' || loose.type || ' end'
                when a.attname = any ($10::text[])
                then '(select v.v from json_to_record(json_build_object(''v'', %s)) as v(v ' || replace(exact.type, '%', '%%') || '))'
                when b.type in ('varchar'::regtype, 'bpchar'::regtype) then '%s::' || replace(loose.type, '%', '%%')
                else '%s::' || replace(exact.type, '%', '%%') end as exactly,
           case when b.type in ('json'::regtype, 'jsonb'::regtype) then 'json'
                when coalesce(nullif(e.typelem, 0), b.type) in ('bool'::regtype, 'bytea'::regtype, 'int2'::regtype,
                     'int4'::regtype, 'int8'::regtype, 'oid'::regtype, 'numeric'::regtype, 'float4'::regtype,
                     'float8'::regtype, 'money'::regtype, 'date'::regtype, 'time'::regtype, 'timetz'::regtype,
                     'timestamp'::regtype, 'timestamptz'::regtype, 'uuid'::regtype, 'bit'::regtype, 'varbit'::regtype,
                     'inet'::regtype, 'cidr'::regtype, 'macaddr'::regtype, 'macaddr8'::regtype, 'pg_lsn'::regtype)
                  or (e.typtype in ('e', 'r', 'm')) then 'value'
                else 'text'
           end as sameness
      from beneath b
      join pg_attribute a on a.attrelid = to_regclass($1) and a.attnum = b.attnum
      join pg_type raw on raw.oid = b.type
      cross join lateral (select format_type(b.type, -1) as type) loose
      cross join lateral (select format_type(b.type, b.modifier) as type) exact
      join lateral (select case when raw.typcategory = 'A' then raw.typelem else 0 end as typelem, raw.typtype) e on true
     where b.typtype <> 'd'
), mapped as (
    select u.unit::int as unit, row_number() over (order by u.unit, m.place)::int as i, c.*,
           case c.sameness when 'json' then 'nullif(%s::jsonb, ''null'')' when 'value' then '%s'
                           else '%s::text collate "C"' end as compared
      from jsonb_array_elements($3::jsonb) with ordinality as u(columns, unit),
           jsonb_array_elements_text(u.columns) with ordinality as m(name, place)
      join catalog c on c.name = m.name
), sides as (
    select m.*,
           format(compared, format('t.%I', name)) || ' is not distinct from ' || format(compared, 'command.b' || i) as is_base,
           format(compared, format('t.%I', name)) || ' is not distinct from ' || format(compared, 'command.s' || i) as is_set
      from mapped m
), unit as (
    select unit,
           format('(substr(command.mask, %s, 1) = ''1'' and %s and not (%s)%s)',
                  unit, string_agg(is_base, ' and ' order by i), string_agg(is_set, ' and ' order by i),
                  ' and not ' || $6::text) as judgement
      from sides group by unit
), key as (
    select k.place::int as i, c.*
      from unnest($2::text[]) with ordinality as k(name, place) join catalog c on c.name = k.name
), inserted as (
    select x.place::int as i, c.*, k.i as key_place
      from unnest($4::text[]) with ordinality as x(name, place)
      join catalog c on c.name = x.name left join key k on k.name = c.name
), given as (
    -- The arrays that follow the eight parameters that every statement has, in the order in which it has them.
    select 'key' as part, i, 'k' || i as name, loosely as typed, whole from key
    union all select 'base', i, 'b' || i, loosely, whole from sides
    union all select 'set', i, 's' || i, exactly, whole from sides
    union all select 'new', i, 's' || i, exactly, whole from inserted
), takes (statement, parts) as (
    values ('update', array['key', 'base', 'set']), ('swift', array['key', 'base', 'set']), ('delete', array['key', 'base']), ('restore', array['key', 'new']),
           ('insert', array['new']), ('gone', array['key'])
), numbered as (
    select t.statement, g.*,
           row_number() over (partition by t.statement order by array_position(t.parts, g.part), g.i)
               + case t.statement when 'swift' then 12 else 8 end as number
      from takes t join given g on g.part = any (t.parts)
), commands as (
    select statement,
           format('command as materialized (
    select id, record_id, hop::int as hop, mask, place, %s
      from rows from (json_array_elements_text($1::json), json_array_elements_text($2::json),
                      json_array_elements_text($3::json), json_array_elements_text($4::json), %s)
           with ordinality as given(id, record_id, hop, mask, %s, place)
     where (select set_config(''duplex.applying'', %L, true)) is not null%s
)',
                  string_agg(format(typed, 'given.' || name) || ' as ' || name, ', ' order by number),
                  string_agg(format(case when whole then 'json_array_elements($%s::json)' else 'json_array_elements_text($%s::json)' end,
                                    number), ', ' order by number),
                  string_agg(name, ', ' order by number), to_regclass($1)::oid,
                  case statement when 'swift' then ' and exists (select from fence)' end) as command
      from numbered
     group by statement
), server as (
    -- An update tells the row as it was from Postgres 18 on; before that, the row is joined to itself.
    select case when current_setting('server_version_num')::int >= 180000 then 'old' else 't' end as before,
           case when current_setting('server_version_num')::int >= 180000 then 'new' else 'target' end as after
), parts as (
    select before, after,
           (select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where c.oid = to_regclass($1)) as "table",
           (select string_agg(format('t.%I = command.k%s', name, i), ' and ' order by i) from key) as key_match,
           (select string_agg(format('%I', name), ', ' order by i) from key) as key_list,
           '''['' || ' || (select string_agg(format('to_json(t.%I)::text', name), ' || '','' || ' order by i) from key)
               || ' || '']''' as key_text,
           '''['' || ' || (select string_agg(format('to_json(%s.%I)::text', before, name), ' || '','' || ' order by i) from key)
               || ' || '']''' as key_before,
           '''['' || ' || (select string_agg(format('to_json(%s.%I)::text', after, name), ' || '','' || ' order by i) from key)
               || ' || '']''' as key_after,
           '''['' || ' || (select string_agg(format('to_json(drawn.k%s)::text', i), ' || '','' || ' order by i) from key)
               || ' || '']''' as drawn_text,
           (select string_agg('command.s' || i, ', ' order by i) from sides) as wanted,
           (select string_agg(format('%s as w%s', judgement, unit), ', ' order by unit) from unit) as judgements,
           (select string_agg(judgement, ' or ' order by unit) from unit) as any_judgement,
           (select string_agg('found.w' || unit, ' or ' order by unit) from unit) as any_write,
           coalesce((select string_agg(format('%I = case when %s then command.s%s else t.%I end', name, judgement, i, name),
                                       ', ' order by i) from sides join unit using (unit) where not fixed),
                    (select format('%1$I = t.%1$I', name) from key where i = 1)) as judged_assignments,
           coalesce((select string_agg(format('%I = case when found.w%s then found.s%s else t.%I end', name, unit, i, name),
                                       ', ' order by i) from sides where not fixed),
                    (select format('%1$I = t.%1$I', name) from key where i = 1)) as assignments,
           (select string_agg(format('(substr(command.mask, %s, 1) = ''0'' or %s)', i, is_base), ' and ' order by i)
              from sides) || coalesce(' and not ' || $6::text, '') as whole_base,
           case when $7::text is null then 'delete from %s as t using found' else 'update %s as t set %s from found' end as removing,
           case when $7::text is not null then 'row_to_json(t.*)::text as image'
                when $9::text is not null then 'null::text as image, (t.*)::%s as kept' else 'null::text as image' end as removed,
           '), archived as (' || $9::text as archiving,
           (select string_agg(format('%I = found.s%s', name, i), ', ' order by i) || ', ' from inserted
             where key_place is null and not fixed and not starts_with($8::text, format('%I = ', name))) as restoring,
           -- A key that the table would make is drawn before the write, so that each new row is known by its key.
           (select string_agg(format('%s as k%s', coalesce('command.s' || x.i, k.fallback, 'null'), k.i), ', ' order by k.i)
              from key k left join inserted x on x.key_place = k.i) as drawn,
           (select bool_and(x.i is not null or k.fallback is not null)
              from key k left join inserted x on x.key_place = k.i) as key_known,
           (select string_agg(format('%I', name), ', ' order by i) from
               (select name, i from inserted union all
                select k.name, 100000 + k.i from key k
                 where k.fallback is not null and not exists (select from inserted x where x.name = k.name)) c) as new_columns,
           (select string_agg(value, ', ' order by i) from
               (select 's' || i as value, i from inserted
                union all
                select 'k' || k.i, 100000 + k.i from key k
                 where k.fallback is not null and not exists (select from inserted x where x.name = k.name)) c) as new_values
      from server
), passes as (
    select parts.*, format($pass$written as (
    update %1$s as %2$s
    returning command.place, command.id as command, command.record_id, command.hop,
              row_to_json(%3$s.*)::text as image, %4$s as local_id, row_to_json(%5$s.*)::text as left_image, %6$s as left_id
), rest as materialized (
    select command.place, command.id as command, command.record_id, command.hop,
           held.image, held.local_id, held.image as left_image, held.local_id as left_id
      from command cross join lateral (
          select row_to_json(t.*)::text as image, %7$s as local_id, (%9$s) as fit
            from %10$s as t where %8$s for no key update) as held
     where command.place not in (select place from written) and not held.fit
), settled as not materialized (
    select * from written union all select * from rest
), echo as (
    insert into duplex.change_log (entity, op, local_id, before_id, before, after, command, record_id, hop, outcome, error)
    select $7, 'u', left_id, case when left_id <> local_id then local_id end, image, left_image, command, record_id, hop, $5, $6
      from settled
)$pass$,
    "table",
    case after when 'new'
         then format('t set %s from command where %s and (%s)', judged_assignments, key_match, any_judgement)
         else format('target set %s from command join %s as t on %s where target.ctid = t.ctid and target.tableoid = t.tableoid and (%s)',
                     judged_assignments, "table", key_match, any_judgement) end,
    before, key_before, after, key_after, key_text, key_match, any_judgement, "table") as one_pass
      from parts
)
-- Every statement has $1 ids  $2 records  $3 hops  $4 masks  $5 outcome of all  $6 error of all  $7 entity  $8 final,
-- then its arrays of values; $1 to $4 are arrays too. Each returns the places, from 1, of the commands that were echoed.
select key_known,
-- A mask has "1" for each unit that the command speaks of. Then: keys, bases, sets.
-- The common case, in one pass: a row that shows what the command expects of it is written; one that does not is locked
-- and left as it is; both are echoed. Where somebody else is just writing to a row, the server waits and judges the newer
-- version (before Postgres 18, an update misses it). What is left over comes again in `update`: rows that were not
-- found, became fit to be written after they were judged, or whose write the table swallowed.
format($write$with %1$s, %2$s
select coalesce(array_agg(place), '{}') as places from settled where $8::boolean is not null$write$,
    (select command from commands where statement = 'update'), one_pass) as write,
-- The same for a whole batch at once, in a transaction of its own, the fence with it: further $9 partition  $10 least and
-- $11 greatest input offset of the batch  $12 how many batches were carried out ahead, as far as the sink knows. It fails,
-- and so leaves nothing, if any command is left over; it does nothing if the fence says that any of the batch may have been
-- carried out before, or that the sink does not know all that was. Returns how many commands it echoed.
format($swift$with fence as (
    insert into duplex.progress as p (entity, partition, reached)
    select $7, $9, $11 where $8::boolean is not null
    on conflict (entity, partition) do update set reached = excluded.reached where p.reached < $10 and p.ahead = $12
    returning entity
), %1$s, %2$s
select case when not exists (select from fence) then 0
            when count(*) = json_array_length($1::json) then count(*)
            else 1 / (count(*) * 0) end as echoed from settled$swift$,
    (select command from commands where statement = 'swift'), one_pass) as swift,
-- Masks and arrays as above.
-- Rows are locked one by one in the order of the commands, which the sink sorts by key. The lock gives the newest
-- version of a row; the update finds it by its place, and misses it if it was written after this statement began:
-- such a command, like one whose row was not found, is left over, and comes again in a statement of its own, which
-- sees that version. `final` echoes even a write that the table itself swallowed (a trigger that returns null).
format($update$with %1$s, found as materialized (
    select command.place, command.id, command.record_id, command.hop, held.*
      from command cross join lateral (
          select t.ctid as at, t.tableoid as part, row_to_json(t.*)::text as image, %2$s as local_id, %3$s, %4$s
            from %5$s as t where %6$s for no key update) as held
), written as (
    update %5$s as t set %7$s from found
     where t.ctid = found.at and t.tableoid = found.part and (%8$s)
    returning found.place, row_to_json(t.*)::text as image, %2$s as local_id
), settled as materialized (
    select found.*, written.image as left_image, written.local_id as left_id
      from found left join written on written.place = found.place
     where written.place is not null or not (%8$s) or $8
), echo as (
    insert into duplex.change_log (entity, op, local_id, before_id, before, after, command, record_id, hop, outcome, error)
    select $7, 'u', coalesce(left_id, local_id), case when left_id <> local_id then local_id end,
           image, coalesce(left_image, image), id, record_id, hop, $5, $6
      from settled order by place
)
select coalesce(array_agg(place), '{}') as places from settled$update$,
    (select command from commands where statement = 'update'), key_text, wanted, judgements, "table", key_match,
    assignments, any_write) as update,
-- A mask has "1" for each column that is compared. Then: keys, bases.
format($delete$with %1$s, found as materialized (
    select command.place, command.id, command.record_id, command.hop, held.*
      from command cross join lateral (
          select t.ctid as at, t.tableoid as part, row_to_json(t.*)::text as image, %2$s as local_id, (%3$s) as same
            from %4$s as t where %5$s for update) as held
), written as (
    %6$s
     where t.ctid = found.at and t.tableoid = found.part and found.same
    returning found.place, %7$s
%8$s), settled as materialized (
    select found.*, case when written.place is null then found.image else written.image end as left_image
      from found left join written on written.place = found.place
     where written.place is not null or not found.same or $8
), echo as (
    insert into duplex.change_log (entity, op, local_id, before, after, command, record_id, hop, outcome, error)
    select $7, case when left_image is null then 'd' else 'u' end::"char", local_id, image, left_image,
           id, record_id, hop, $5, $6
      from settled order by place
)
select coalesce(array_agg(place), '{}') as places from settled$delete$,
    (select command from commands where statement = 'delete'), key_text, whole_base, "table", key_match,
    format(removing, "table", $7::text), format(removed, "table"), archiving) as delete,
-- Keys, values. Brings rows back that count as gone, with the values of a create. Any other row is left over. Null where
-- the table has no such rows.
case when $8::text is not null then format($restore$with %1$s, found as materialized (
    select command.*, held.*
      from command cross join lateral (
          select t.ctid as at, t.tableoid as part, row_to_json(t.*)::text as image, %2$s as local_id, %3$s as resting
            from %4$s as t where %5$s for update) as held
), written as (
    update %4$s as t set %6$s%7$s from found
     where t.ctid = found.at and t.tableoid = found.part and found.resting
    returning found.place, row_to_json(t.*)::text as image, %2$s as local_id
), settled as materialized (
    select found.place, found.id, found.record_id, found.hop, found.image, found.local_id,
           written.image as left_image, written.local_id as left_id
      from found join written on written.place = found.place
     where $8::boolean is not null
), echo as (
    insert into duplex.change_log (entity, op, local_id, before_id, before, after, command, record_id, hop, outcome, error)
    select $7, 'u', left_id, case when left_id <> local_id then local_id end, image, left_image, id, record_id, hop, $5, $6
      from settled order by place
)
select coalesce(array_agg(place), '{}') as places from settled$restore$,
    (select command from commands where statement = 'restore'), key_text, $6::text, "table", key_match, restoring,
    $8::text) end as restore,
-- Values. A row whose key is taken is left over, to be looked at. `written` counts rows made, so that one which came out
-- under another key than it was given (a trigger's doing) is noticed; where the key is not known beforehand, one at a time.
format($insert$with %1$s, drawn as materialized (
    select command.*, %2$s from command
), written as (
    insert into %3$s as t (%4$s) overriding system value
    select %5$s from drawn order by place
    on conflict (%6$s) do nothing
    returning row_to_json(t.*)::text as image, %7$s as local_id
), settled as materialized (
    select drawn.place, drawn.id, drawn.record_id, drawn.hop, written.image, written.local_id
      from drawn join written on %8$s
     where $8::boolean is not null
), echo as (
    insert into duplex.change_log (entity, op, local_id, after, command, record_id, hop, outcome, error)
    select $7, 'c', local_id, image, id, record_id, hop, $5, $6 from settled order by place
)
select coalesce(array_agg(place), '{}') as places, (select count(*) from written) as written from settled$insert$,
    (select command from commands where statement = 'insert'), drawn, "table", new_columns, new_values, key_list, key_text,
    case when $5 then 'true' else format('written.local_id = %s', drawn_text) end) as insert,
-- Keys. For rows that are not there. The masks are their local ids, which the echoes are to name; $5 and $6 are arrays.
-- Run it only under a lock that keeps every other writer off the table: a row that somebody is just inserting would get
-- an earlier number in the log than an echo which does not know of it.
format($gone$with %1$s, settled as materialized (
    select * from command where $8 and not exists (select from %2$s as t where %3$s)
), echo as (
    insert into duplex.change_log (entity, op, local_id, command, record_id, hop, outcome, error)
    select $7, 'd', mask, id, record_id, hop, $5::json ->> (place - 1)::int, $6::json ->> (place - 1)::int from settled order by place
)
select coalesce(array_agg(place), '{}') as places from settled$gone$,
    (select command from commands where statement = 'gone'), "table", key_match) as gone,
format('lock table %s in share mode', "table") as lock
from passes

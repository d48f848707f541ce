-- Makes the capture of whole statements: what "How capture is put together" in capture.sql speaks of.
-- Run at every installation (create or replace), before capture.sql is called upon. Only the installer may call these.

-- The types that the values of a table consist of: of its columns, their elements, what is beneath domains and ranges.
create or replace function duplex.types_within(relation oid)
returns setof pg_type language sql stable set search_path = pg_catalog, pg_temp as $$
    with recursive used as (
        select a.atttypid as type from pg_attribute a where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
        union
        select case when t.typtype = 'd' then t.typbasetype when t.typtype = 'r' then r.rngsubtype
                    when t.typtype = 'm' then m.rngtypid else t.typelem end
          from used join pg_type t on t.oid = used.type
          left join pg_range r on r.rngtypid = t.oid
          left join pg_range m on m.rngmultitypid = t.oid
         where t.typtype in ('d', 'r', 'm') or t.typcategory = 'A'
    )
    select t.* from used join pg_type t on t.oid = used.type
$$;

-- Whether the JSON text of these values depends on nothing but the settings that `pinned_already` looks at: not on
-- search_path (reg*), lc_monetary (money), or on functions of somebody else's.
create or replace function duplex.of_plain_types(relation oid)
returns boolean language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(bool_and(t.typtype in ('d', 'e', 'r', 'm') or t.typcategory = 'A'
                             or (t.typtype = 'b' and t.typnamespace = 'pg_catalog'::regnamespace
                                 and t.oid not in ('money'::regtype, 'xml'::regtype) and not starts_with(t.typname, 'reg'))), true)
      from duplex.types_within(relation) t
$$;

-- A condition: the session writes the values of this table as images have them; null: any does. Only what matters to its
-- types is asked, for each costs a microsecond; a column added later counts from the next installation on.
create or replace function duplex.pinned_already(relation oid)
returns text language sql stable set search_path = pg_catalog, pg_temp as $$
    select string_agg(format('pg_catalog.current_setting(%L) operator(pg_catalog.=) any (%L::pg_catalog.text[])',
                             s.name, s.good), ' and ' order by s.name)
      from (values ('TimeZone', '{UTC,Etc/UTC,GMT}', '{timestamptz}'::regtype[]),
                   ('DateStyle', '{"ISO, MDY","ISO, DMY","ISO, YMD"}', '{}'),
                   ('IntervalStyle', '{postgres}', '{interval}'),
                   ('bytea_output', '{hex}', '{bytea}'),
                   ('extra_float_digits', '{1,2,3}', '{float4,float8,point,line,lseg,box,path,polygon,circle}'))
        as s(name, good, types)
     where exists (select from duplex.types_within(relation) t
                    where t.oid = any (s.types) or (s.name = 'DateStyle' and t.typtype in ('r', 'm')))
$$;

-- Of tables of plain types: sets what row images are written under, for as long as the caller needs it, and returns
-- what was set before, for duplex.unpin. An error between the two ends the (sub)transaction, and the settings with it.
create or replace function duplex.pin()
returns text[] language plpgsql as $$
declare
    before pg_catalog.text[] := array[pg_catalog.current_setting('TimeZone'), pg_catalog.current_setting('DateStyle'),
                                      pg_catalog.current_setting('IntervalStyle'), pg_catalog.current_setting('bytea_output'),
                                      pg_catalog.current_setting('extra_float_digits')];
begin
    perform duplex.unpin('{UTC,"ISO, YMD",postgres,hex,1}');
    return before;
end $$;

create or replace function duplex.unpin(before pg_catalog.text[])
returns void language sql as $$
    select pg_catalog.set_config('TimeZone', before[1], true), pg_catalog.set_config('DateStyle', before[2], true),
           pg_catalog.set_config('IntervalStyle', before[3], true), pg_catalog.set_config('bytea_output', before[4], true),
           pg_catalog.set_config('extra_float_digits', before[5], true)
$$;

-- Statement by statement, from the transition tables.
--   The quick way is a single statement, good for one row and for a million. It is taken where nobody wrote from within
-- a trigger, and nothing is marked as the sink's. Old and new
-- rows are paired by key, as text, which every type can be compared as, also the one that a key may be given tomorrow; by
-- a full join, so that no plan made for one row is ruinous for many. A row without a partner
-- says that keys were changed, and then a partner may be the wrong one (2 became 3 while 1 became 2): what was entered
-- is taken out again, and the slow way pairs the rows by their places. Both transition tables have them in one order.
--   A key column is named without its table, so that one that was renamed since is not an error: then the name is found
-- in "!missing", is null, and the slow way asks the catalog.
create or replace function duplex.write_statement_functions(c duplex.captured, sink_role text)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $generate$
declare
    settings text := case when duplex.of_plain_types(c.relation) then '' else duplex.pinned() end;
    places text[] := array(select 'k' || g from generate_series(1, cardinality(c.key_columns)) g);
    keys text := (select string_agg(format('%I as k%s', k.name, k.place), ', ' order by k.place)
                    from unnest(c.key_columns) with ordinality as k(name, place));
    missing text := (select string_agg(format('null::pg_catalog.text as %I', k.name), ', ' order by k.place)
                       from unnest(c.key_columns) with ordinality as k(name, place));
    matched text := (select string_agg(format('(o.%1$s::pg_catalog.text collate pg_catalog."C") operator(pg_catalog.=)'
                                              ' (n.%1$s::pg_catalog.text collate pg_catalog."C")', p), ' and ') from unnest(places) p);
    pinned text := duplex.pinned_already(c.relation);
    old_id text := duplex.local_id_expression('o', places);
    new_id text := duplex.local_id_expression('n', places);
    head text := format($head$
create or replace function duplex.%%1$I() returns trigger language plpgsql security definer %1$s as $capture$
#variable_conflict use_column
declare
    "!entered" pg_catalog.int8;
    "!before" pg_catalog.text[];
begin
    if pg_catalog.pg_trigger_depth() operator(pg_catalog.=) 1
       and pg_catalog.concat(pg_catalog.current_setting('duplex.nested', true),
                             pg_catalog.current_setting('duplex.applying', true)) operator(pg_catalog.=) '' then%3$s
        %%2$s%4$s
        %%3$s
    elsif pg_catalog.current_setting('duplex.applying', true) operator(pg_catalog.=) tg_relid::pg_catalog.text
       and session_user operator(pg_catalog.=) %2$L and pg_catalog.pg_trigger_depth() operator(pg_catalog.=) 1 then
        return null;
    end if;
    declare
        "!pins" pg_catalog.text[] := duplex.pin();
        "!overtaken" pg_catalog.bool := duplex.overtaken(pg_catalog.pg_trigger_depth());
        "!pair" pg_catalog.record;
        "!left" pg_catalog.text[] := '{}';
        "!taken" pg_catalog.text[] := '{}';
    begin
        %%4$s
        perform duplex.unpin("!pins");
    end;
    return null;
end $capture$
$head$, settings, sink_role,
        case when pinned is not null then format('
        if not (%s) then
            "!before" := duplex.pin();
        end if;', pinned) end, case when pinned is not null then '
        if "!before" is not null then
            perform duplex.unpin("!before");
        end if;' end);
begin
    execute format(head, 'insert_' || c.number, format($quick$
        insert into duplex.change_log (entity, op, local_id, after)
        select %1$L, 'c', coalesce(%2$s, duplex.renamed_local_id(%1$L, pg_catalog.row_to_json(n.image))),
               pg_catalog.row_to_json(n.image)::pg_catalog.text
          from (select %3$s) as "!missing"
         cross join lateral (select %4$s, "!row of duplex" as image from new_rows as "!row of duplex") as n;$quick$, c.entity, new_id, missing, keys), 'return null;', format($slow$
    for "!pair" in
        select coalesce(%2$s, duplex.renamed_local_id(%1$L, pg_catalog.row_to_json(n.image))) as new_id,
               pg_catalog.row_to_json(n.image)::pg_catalog.text as new_image
          from (select %3$s) as "!missing"
         cross join lateral (select %4$s, "!row of duplex" as image from new_rows as "!row of duplex") as n
    loop
        perform duplex.enter(%1$L, tg_relid, 'c', null, "!pair".new_id, null, "!pair".new_image, "!overtaken");
    end loop;$slow$, c.entity, new_id, missing, keys));
    execute format(head, 'update_' || c.number, format($quick$
        insert into duplex.change_log (entity, op, local_id, before, after)
        select %1$L, 'u', %2$s, pg_catalog.row_to_json(o.image)::pg_catalog.text,
               pg_catalog.row_to_json(n.image)::pg_catalog.text
          from (select %3$s) as "!missing"
         cross join (lateral (select %4$s, "!row of duplex" as image from old_rows as "!row of duplex") as o
                     full join lateral (select %4$s, "!row of duplex" as image from new_rows as "!row of duplex") as n on %5$s)
         where case when o.k1 is null or n.k1 is null then pg_catalog.set_config('duplex.rekeyed', 'yes', true) is null
                    else not (o.image operator(pg_catalog.*=) n.image) end;
        get diagnostics "!entered" = row_count;$quick$, c.entity, new_id, missing, keys, matched), $tail$if coalesce(pg_catalog.current_setting('duplex.rekeyed', true), '') operator(pg_catalog.=) '' then
            return null;
        end if;
        perform pg_catalog.set_config('duplex.rekeyed', '', true);
        perform duplex.take_out("!entered");$tail$, format($slow$
    for "!pair" in
        select coalesce(%2$s, duplex.renamed_local_id(%1$L, pg_catalog.row_to_json(o.image))) as old_id,
               coalesce(%3$s, duplex.renamed_local_id(%1$L, pg_catalog.row_to_json(n.image))) as new_id,
               pg_catalog.row_to_json(o.image)::pg_catalog.text as old_image,
               pg_catalog.row_to_json(n.image)::pg_catalog.text as new_image
          from (select %4$s) as "!missing"
         cross join (lateral (select pg_catalog.row_number() over () as place, %5$s, "!row of duplex" as image from old_rows as "!row of duplex") as o
                     full join lateral (select pg_catalog.row_number() over () as place, %5$s, "!row of duplex" as image
                                          from new_rows as "!row of duplex") as n
                            on o.place operator(pg_catalog.=) n.place)
         where not (o.image operator(pg_catalog.*=) n.image)
         order by o.place
    loop
        perform duplex.enter(%1$L, tg_relid, 'u', "!pair".old_id, "!pair".new_id, "!pair".old_image, "!pair".new_image, "!overtaken");
        if "!pair".old_id operator(pg_catalog.<>) "!pair".new_id then
            "!left" := pg_catalog.array_append("!left", "!pair".old_id);
            "!taken" := pg_catalog.array_append("!taken", "!pair".new_id);
        end if;
    end loop;
    perform duplex.enter_takers(%1$L, tg_relid, "!left", "!taken");$slow$, c.entity, old_id, new_id, missing, keys));
end $generate$;

-- Takes the last entries of this transaction out again: as many as its last statement made. Nobody has seen them.
create or replace function duplex.take_out(entered bigint)
returns void language sql set search_path = pg_catalog, pg_temp as $$
    delete from duplex.change_log l
     where l.seq in (select m.seq from duplex.change_log m where m.transaction = txid_current() order by m.seq desc limit entered)
$$;

-- Where one statement gave a key up and inserted another row under it, that row may have been entered first: once more.
create or replace function duplex.enter_takers(captured_entity text, relation oid, left_ids text[], taken_ids text[])
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    insert into duplex.change_log (entity, op, local_id, after)
    select captured_entity, 'c', t.id, t.image
      from (select g.id, duplex.look(captured_entity, relation, g.id) as image
              from unnest(left_ids) as g(id) where not g.id = any (taken_ids)) t
     where t.image is not null;
end $$;

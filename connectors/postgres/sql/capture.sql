-- Makes and removes the capture of one table: a function of its own, written for its key, and its triggers.
-- Run at every installation (create or replace). Only the installer may call these.

-- The settings under which row images are written, whatever the writing session has set.
create or replace function duplex.pinned()
returns text language sql immutable set search_path = pg_catalog, pg_temp as $$
    select 'set search_path = pg_catalog, pg_temp set TimeZone = ''UTC'' set DateStyle = ''ISO, YMD'''
        || ' set IntervalStyle = ''postgres'' set bytea_output = ''hex'' set extra_float_digits = ''1'''
        || ' set lc_monetary = ''C'' set xmlbinary = ''base64'''
$$;

-- The expression of a local id over the row variable `variable`: '[' || to_json(v.a)::text || ',' || … || ']'.
create or replace function duplex.local_id_expression(variable text, key_columns text[])
returns text language sql immutable set search_path = pg_catalog, pg_temp as $$
    select '''['' operator(pg_catalog.||) '
        || string_agg(format('pg_catalog.to_json(%s.%I)::pg_catalog.text', variable, k.name),
                      ' operator(pg_catalog.||) '','' operator(pg_catalog.||) ' order by k.place)
        || ' operator(pg_catalog.||) '']'''
      from unnest(key_columns) with ordinality as k(name, place)
$$;

-- The local id of a row whose key columns were renamed since the installation: found by their numbers.
create or replace function duplex.renamed_local_id(captured_entity text, image json)
returns text language sql stable set search_path = pg_catalog, pg_temp as $$
    select '[' || string_agg((image -> a.attname)::text, ',' order by k.place) || ']'
      from duplex.captured c
      cross join unnest(c.key_numbers) with ordinality as k(number, place)
      join pg_attribute a on a.attrelid = c.relation and a.attnum = k.number
     where c.entity = captured_entity
$$;

-- The greatest depth at which a trigger wrote to a captured table in this transaction; 0 for none.
create or replace function duplex.nested()
returns integer language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(nullif(current_setting('duplex.nested', true), ''), '0')::integer
$$;

-- Notes at which depth a captured table is being written to; true if deeper writes of this transaction may have come
-- between the row's change and its capture. Only then does an entry have to show the row as it now is.
create or replace function duplex.overtaken(depth integer)
returns boolean language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if depth > 1 and depth > duplex.nested() then
        perform set_config('duplex.nested', depth::text, true);
    end if;
    return duplex.nested() > depth;
end $$;

-- Enters one change. `overtaken`: as the row now is, and not at all if by now it is there where it was deleted, or gone.
create or replace function duplex.enter(captured_entity text, relation oid, operation "char", old_id text, new_id text,
                                        old_image text, new_image text, overtaken boolean)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if overtaken then
        new_image := duplex.look(captured_entity, relation, coalesce(new_id, old_id));
        if (new_image is null) <> (operation = 'd') then
            return;
        end if;
    end if;
    insert into duplex.change_log (entity, op, local_id, before_id, before, after)
    values (captured_entity, operation, coalesce(new_id, old_id), case when new_id <> old_id then old_id end, old_image, new_image);
end $$;

-- How capture is put together.
--   An ordinary table has a statement's inserts and updates entered by one statement of ours, from its transition tables
-- (`insert_<n>`, `update_<n>`); deletes row by row (`capture_<n>`), so that what one statement deletes and inserts again is
-- entered in this order. Row by row is everything where statement triggers do not fire or do not see it: in a session in
-- replica mode, above all that of logical replication; in partitions and tables that inherit; and where a user's own
-- triggers fire after each row, so that what these write is entered after what caused it.
--   A row written by the sink itself (its role, its mark on this table, not from within a trigger) is left to the
-- sink, which writes the entry. An update that changes nothing leaves none.
--   Where a trigger wrote to a captured table in this transaction ("duplex.nested"), events may arrive in another
-- order than the row took its values: from then on an entry shows the row as it now is.
--   What each way costs is in docs/performance.md.

-- Row by row: one entry each, and one for a changed key.
create or replace function duplex.write_row_function(c duplex.captured, partitioned boolean, sink_role text)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $generate$
declare
    target text := case when partitioned then 'pg_catalog.pg_partition_root(tg_relid)::pg_catalog.oid' else 'tg_relid' end;
begin
    execute format($function$
create or replace function duplex.%1$I() returns trigger language plpgsql security definer %2$s as $capture$
declare
    old_id pg_catalog.text;
    new_id pg_catalog.text;
    old_image pg_catalog.text;
    new_image pg_catalog.text;
    operation "char" := case tg_op when 'INSERT' then 'c' when 'UPDATE' then 'u' else 'd' end;
begin
    if tg_name = '!duplex_replica' and pg_catalog.current_setting('session_replication_role') <> 'replica' then
        return null;  -- somebody enabled all triggers alike: the statement's own have entered this row
    end if;
    if pg_catalog.current_setting('duplex.applying', true) = %3$s::pg_catalog.text
       and session_user = %4$L and pg_catalog.pg_trigger_depth() = 1 then
        return null;
    end if;
    if tg_op = 'UPDATE' and old operator(pg_catalog.*=) new then
        return null;
    end if;
    if tg_op <> 'INSERT' then
        old_image := pg_catalog.row_to_json(old)::pg_catalog.text;
    end if;
    if tg_op <> 'DELETE' then
        new_image := pg_catalog.row_to_json(new)::pg_catalog.text;
    end if;
    begin
        if tg_op <> 'INSERT' then old_id := %5$s; end if;
        if tg_op <> 'DELETE' then new_id := %6$s; end if;
    exception when undefined_column then
        old_id := duplex.renamed_local_id(%7$L, old_image::pg_catalog.json);
        new_id := duplex.renamed_local_id(%7$L, new_image::pg_catalog.json);
    end;
    if pg_catalog.pg_trigger_depth() > 1 or pg_catalog.current_setting('duplex.nested', true) <> '' then
        perform duplex.enter(%7$L, tg_relid, operation, old_id, new_id, old_image, new_image,
                             duplex.overtaken(pg_catalog.pg_trigger_depth()));
        return null;
    end if;
    insert into duplex.change_log (entity, op, local_id, before_id, before, after)
    values (%7$L, operation, coalesce(new_id, old_id), case when new_id <> old_id then old_id end, old_image, new_image);
    return null;
end $capture$
$function$, 'capture_' || c.number, duplex.pinned(), target, sink_role,
            duplex.local_id_expression('old', c.key_columns), duplex.local_id_expression('new', c.key_columns),
            c.entity);
end $generate$;

-- The row with this local id as it now is, as JSON text; null if there is none. The key columns are found by number.
-- The whole row is `t.*` everywhere: a mere `t` is the column of that name where the table has one.
create or replace function duplex.write_look_function()
returns void language plpgsql set search_path = pg_catalog, pg_temp as $generate$
begin
    execute format($function$
create or replace function duplex.look(captured_entity pg_catalog.text, relation pg_catalog.oid, id pg_catalog.text)
returns pg_catalog.text language plpgsql stable %s as $look$
declare
    image pg_catalog.text;
    condition pg_catalog.text := (
        select string_agg(format('t.%%I = ($1 ->> %%s)::%%s', a.attname, k.place - 1,
                                 format_type(a.atttypid, a.atttypmod)), ' and ' order by k.place)
          from duplex.captured c
          cross join unnest(c.key_numbers) with ordinality as k(number, place)
          join pg_attribute a on a.attrelid = c.relation and a.attnum = k.number
         where c.entity = captured_entity);
begin
    execute format('select row_to_json(t.*)::text from %%s t where %%s', relation::regclass, condition)
       into image using id::json;
    return image;
end $look$
$function$, replace(duplex.pinned(), '%', '%%'));
end $generate$;

-- Captures TRUNCATE: an entry for every row, then one that says so. Of a partitioned table, each partition reports its
-- own rows, and the table itself those of partitions that have no trigger yet.
create or replace function duplex.write_truncate_function(c duplex.captured)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $generate$
begin
    execute format($function$
create or replace function duplex.%1$I() returns trigger language plpgsql security definer %2$s as $capture$
declare
    key_names text[] := array(select a.attname::text
                                from duplex.captured c
                                cross join unnest(c.key_numbers) with ordinality as k(number, place)
                                join pg_attribute a on a.attrelid = c.relation and a.attnum = k.number
                               where c.entity = %3$L order by k.place);
begin
    if tg_argv[0] = 'partition' and not exists (
        select from duplex.captured c where c.entity = %3$L and c.relation = pg_partition_root(tg_relid)) then
        return null;
    end if;
    execute format(
        'insert into duplex.change_log (entity, op, local_id, before)'
        ' select $1, ''d'', %%s, row_to_json(t.*)::text from %%s t'
        ' where $2 or not exists (select from pg_trigger g where g.tgrelid = t.tableoid and g.tgname = ''!duplex_truncate'')',
        duplex.local_id_expression('t', key_names), tg_relid::regclass)
        using %3$L::text, tg_argv[0] <> 'root';
    insert into duplex.change_log (entity, op, local_id) values (%3$L, 't', '[]');
    return null;
end $capture$
$function$, 'truncate_' || c.number, duplex.pinned(), c.entity);
end $generate$;

-- Reads the next rows of the initial load in key order, as they are: (local id, image).
create or replace function duplex.write_chunk_function(c duplex.captured)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $generate$
declare
    names text := (select string_agg(format('t.%I', k.name), ', ' order by k.place)
                     from unnest(c.key_columns) with ordinality as k(name, place));
    bounds text := (select string_agg(format('($1 ->> %s)::%s', k.place - 1, format_type(a.atttypid, a.atttypmod)), ', '
                                      order by k.place)
                      from unnest(c.key_columns) with ordinality as k(name, place)
                      join pg_attribute a on a.attrelid = c.relation and a.attname = k.name);
    relation_name text := (select format('%I.%I', n.nspname, r.relname)
                             from pg_class r join pg_namespace n on n.oid = r.relnamespace where r.oid = c.relation);
begin
    execute format($function$
create or replace function duplex.%1$I(last_key pg_catalog.text, size pg_catalog.int4)
returns table (local_id pg_catalog.text, image pg_catalog.text)
language plpgsql stable security definer rows 1000 %2$s set row_security = off as $chunk$
begin
    if last_key is null then
        return query execute %3$L using null::pg_catalog.json, size;
    else
        return query execute %4$L using last_key::pg_catalog.json, size;
    end if;
end $chunk$
$function$, 'chunk_' || c.number, duplex.pinned(),
        format('select %s, pg_catalog.row_to_json(t.*)::pg_catalog.text from %s t order by %s limit $2',
               duplex.local_id_expression('t', c.key_columns), relation_name, names),
        format('select %s, pg_catalog.row_to_json(t.*)::pg_catalog.text from %s t where (%s) > (%s) order by %s limit $2',
               duplex.local_id_expression('t', c.key_columns), relation_name, names, bounds, names));
end $generate$;

-- Puts one trigger of ours on a table unless it is there, does the same, and fires when it should; 1 if it had to, else 0.
-- `events`: as pg_trigger.tgtype has it (1 each row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate).
-- `firing`: A always, O in ordinary sessions, R in those in replica mode, D never.
create or replace function duplex.put_trigger(relation oid, trigger_name text, events integer, firing "char",
                                              function_name text, kind text)
returns integer language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    moment text := case when events & 2 > 0 then 'before ' else 'after ' end
        || (select string_agg(e.name, ' or ' order by e.bit) from (values (4, 'insert'), (8, 'delete'), (16, 'update'), (32, 'truncate'))
              as e(bit, name) where events & e.bit > 0);
begin
    if exists (select from pg_trigger g join pg_proc p on p.oid = g.tgfoid
                where g.tgrelid = relation and g.tgname = trigger_name and g.tgenabled = firing and g.tgtype = events
                  and p.pronamespace = 'duplex'::regnamespace and p.proname = function_name) then
        return 0;
    end if;
    execute format('create or replace trigger %I %s on %s %s for each %s execute function duplex.%I(%L)', trigger_name, moment,
                   relation::regclass,
                   case when events in (4, 5) then 'referencing new table as new_rows'
                        when events = 16 then 'referencing old table as old_rows new table as new_rows' else '' end,
                   case when events & 1 > 0 then 'row' else 'statement' end, function_name, kind);
    execute format('comment on trigger %I on %s is %L', trigger_name, relation::regclass, 'duplex: change capture');
    execute format('alter table %s enable %s trigger %I', relation::regclass,
                   case firing when 'A' then 'always' when 'R' then 'replica' else '' end, trigger_name);
    if firing = 'D' then
        execute format('alter table %s disable trigger %I', relation::regclass, trigger_name);
    end if;
    return 1;
end $$;

-- Never called: a disabled trigger with it, for each row and with a transition table, makes Postgres refuse to make the
-- table a partition or an heir. Statements upon the new parent would change its rows unseen.
create or replace function duplex.stand_alone()
returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    return null;
end $$;

-- Whether a table's inserts and updates are captured statement by statement: see "How capture is put together".
create or replace function duplex.by_statement(relation oid)
returns boolean language sql stable set search_path = pg_catalog, pg_temp as $$
    select r.relkind = 'r' and not r.relispartition
           and not exists (select from pg_inherits i where relation in (i.inhrelid, i.inhparent))
           and not exists (select from pg_trigger g where g.tgrelid = relation and not g.tgisinternal
                              and g.tgtype & 1 = 1 and g.tgtype & 2 = 0 and not starts_with(g.tgname, '!duplex_'))
      from pg_class r where r.oid = relation
$$;

-- Writes the functions of one captured table and puts its triggers in place; returns how many were missing.
-- Their name sorts before a user's: what a user's trigger then writes is entered after what caused it.
create or replace function duplex.put_capture(captured_entity text)
returns integer language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    c duplex.captured := (select c from duplex.captured c where c.entity = captured_entity);
    partitioned boolean := (select relkind = 'p' from pg_class where oid = c.relation);
    by_statement boolean := duplex.by_statement(c.relation);
    kind text := case when partitioned then 'root' else 'table' end;
    leaf oid;
    put integer;
begin
    perform duplex.write_row_function(c, partitioned, (select sink_role from duplex.meta));
    perform duplex.write_look_function();
    perform duplex.write_truncate_function(c);
    perform duplex.write_chunk_function(c);
    put := duplex.put_trigger(c.relation, '!duplex_truncate', 34, 'A', 'truncate_' || c.number, kind);
    if by_statement then
        perform duplex.write_statement_functions(c, (select sink_role from duplex.meta));
        put := put + duplex.put_trigger(c.relation, '!duplex_insert', 4, 'O', 'insert_' || c.number, kind)
                   + duplex.put_trigger(c.relation, '!duplex_update', 16, 'O', 'update_' || c.number, kind)
                   + duplex.put_trigger(c.relation, '!duplex_replica', 21, 'R', 'capture_' || c.number, kind)
                   + duplex.put_trigger(c.relation, '!duplex_stand_alone', 5, 'D', 'stand_alone', kind)
                   + duplex.put_trigger(c.relation, '!duplex_capture', 9, 'A', 'capture_' || c.number, kind);
    else
        put := put + duplex.put_trigger(c.relation, '!duplex_capture', 29, 'A', 'capture_' || c.number, kind);
        perform duplex.drop_triggers(c.relation, array['!duplex_insert', '!duplex_update', '!duplex_replica', '!duplex_stand_alone']);
    end if;
    for leaf in select t.relid from pg_partition_tree(c.relation) t where partitioned and t.isleaf loop
        put := put + duplex.put_trigger(leaf, '!duplex_truncate', 34, 'A', 'truncate_' || c.number, 'partition');
    end loop;
    return put;
end $$;

-- Drops these triggers of a table, where they are ours.
create or replace function duplex.drop_triggers(relation oid, names text[])
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    found record;
begin
    for found in
        select g.tgname from pg_trigger g join pg_proc p on p.oid = g.tgfoid
         where g.tgrelid = relation and g.tgname = any (names) and p.pronamespace = 'duplex'::regnamespace
    loop
        execute format('drop trigger %I on %s', found.tgname, relation::regclass);
    end loop;
end $$;

-- Takes one captured table's triggers, functions and grants away again, and its line.
create or replace function duplex.remove_capture(captured_entity text)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    c duplex.captured := (select c from duplex.captured c where c.entity = captured_entity);
    found record;
begin
    for found in
        select g.tgname, g.tgrelid from pg_trigger g join pg_proc p on p.oid = g.tgfoid
         where g.tgparentid = 0 and p.pronamespace = 'duplex'::regnamespace
           and (p.proname in ('capture_' || c.number, 'insert_' || c.number, 'update_' || c.number, 'truncate_' || c.number)
                or (p.proname = 'stand_alone' and g.tgrelid = c.relation))
    loop
        execute format('drop trigger %I on %s', found.tgname, found.tgrelid::regclass);
    end loop;
    for found in
        select p.oid::regprocedure as name from pg_proc p where p.pronamespace = 'duplex'::regnamespace
           and p.proname in ('capture_' || c.number, 'insert_' || c.number, 'update_' || c.number, 'truncate_' || c.number,
                             'chunk_' || c.number)
    loop
        execute format('drop function %s', found.name);
    end loop;
    for found in select g.clause from unnest(c.granted) as g(clause) loop
        begin
            execute format('revoke %s from %I', found.clause, (select sink_role from duplex.meta));
        exception when undefined_table or undefined_object or invalid_schema_name then
            null;  -- what was granted on is gone, and the grant with it
        end;
    end loop;
    delete from duplex.load l where l.entity = captured_entity;
    delete from duplex.captured d where d.entity = captured_entity;
end $$;

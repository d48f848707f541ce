-- Gives the relay and the sink the least they need; run at every installation, by the installer's role.
-- The relay reads the log and keeps its own state; ranges, fence and initial load it reaches through functions that
-- run with the installer's rights. The sink writes the mapped tables and their archives, the log and its own three tables.
-- What is granted on a user's objects is noted in duplex.captured.granted, to be taken back at uninstallation.

create or replace function duplex.grant_one(captured_entity text, role_name text, clause text)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format('grant %s to %I', clause, role_name);
    update duplex.captured c set granted = c.granted || clause
     where c.entity = captured_entity and not clause = any (c.granted);
end $$;

create or replace function duplex.grant_sink(captured_entity text, role_name text)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    c duplex.captured := (select c from duplex.captured c where c.entity = captured_entity);
    wanted record;
begin
    for wanted in select distinct r.relnamespace as home from pg_class r where r.oid in (c.relation, c.archive) loop
        if not has_schema_privilege(role_name, wanted.home, 'usage') then
            perform duplex.grant_one(captured_entity, role_name, format('usage on schema %s', wanted.home::regnamespace));
        end if;
    end loop;
    if not has_table_privilege(role_name, c.archive, 'insert') then
        perform duplex.grant_one(captured_entity, role_name, format('insert on %s', c.archive::regclass));
    end if;
    for wanted in select p.name from unnest(array['select', 'insert', 'update', 'delete']) as p(name) loop
        if not has_table_privilege(role_name, c.relation, wanted.name) then
            perform duplex.grant_one(captured_entity, role_name, format('%s on %s', wanted.name, c.relation::regclass));
        end if;
    end loop;
    for wanted in
        select distinct d.objid::regclass::text as name, d.objid
          from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
         where d.refobjid in (c.relation, c.archive) and d.classid = 'pg_class'::regclass and d.deptype in ('a', 'i')
    loop
        if not has_sequence_privilege(role_name, wanted.objid, 'usage') then
            perform duplex.grant_one(captured_entity, role_name, format('usage on sequence %s', wanted.name));
        end if;
    end loop;
end $$;

create or replace function duplex.grant_roles()
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    m duplex.meta := (select m from duplex.meta m);
    c duplex.captured;
    chunk text;
begin
    revoke all on all functions in schema duplex from public;
    execute format('grant usage on schema duplex to %I, %I', m.relay_role, m.sink_role);
    execute format('grant select on duplex.meta, duplex.captured, duplex.source to %I, %I', m.relay_role, m.sink_role);
    execute format('grant select on duplex.change_log, duplex.segment, duplex.parked to %I', m.relay_role);
    execute format('grant update on duplex.source to %I', m.relay_role);
    execute format('grant select, insert, update on duplex.load to %I', m.relay_role);
    execute format('grant execute on function duplex.fence(), duplex.extend_log(integer), duplex.whereabouts(),'
                   ' duplex.empty_segments(bigint), duplex.drop_segment(bigint), duplex.clear_overflow(bigint) to %I',
                   m.relay_role);
    execute format('grant insert on duplex.change_log, duplex.archive to %I', m.sink_role);
    execute format('grant select, insert, update, delete on duplex.progress, duplex.ahead, duplex.parked to %I', m.sink_role);
    for c in select * from duplex.captured loop
        execute format('grant execute on function duplex.%I(text, integer) to %I', 'chunk_' || c.number, m.relay_role);
        perform duplex.grant_sink(c.entity, m.sink_role);
    end loop;
end $$;

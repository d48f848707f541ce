-- Takes away everything that the installation made, and nothing else: each object by name, and none by cascade, so
-- that something of somebody else's that leans on ours stops it.
do $$
declare
    found record;
begin
    for found in select c.entity from duplex.captured c loop
        perform duplex.remove_capture(found.entity);
    end loop;
    for found in
        select p.oid::regprocedure as name from pg_catalog.pg_proc p
         where p.pronamespace = 'duplex'::regnamespace
           and p.proname in ('fence', 'extend_log', 'add_segment', 'empty_segments', 'drop_segment', 'clear_overflow',
                             'whereabouts', 'types_within', 'of_plain_types', 'pinned_already', 'pin', 'unpin', 'nested', 'overtaken', 'enter', 'take_out',
                             'enter_takers', 'write_statement_functions', 'by_statement', 'stand_alone', 'drop_triggers', 'pinned', 'local_id_expression', 'renamed_local_id', 'write_row_function',
                             'look', 'write_look_function', 'write_truncate_function', 'write_chunk_function',
                             'put_trigger', 'put_capture', 'remove_capture', 'grant_one', 'grant_sink', 'grant_roles')
    loop
        execute format('drop function %s', found.name);
    end loop;
    drop table duplex.ahead, duplex.archive, duplex.load, duplex.parked, duplex.progress, duplex.segment, duplex.change_log, duplex.captured,
               duplex.source, duplex.meta;
    drop schema duplex;
end $$

-- The functions by which the relay works on the log without owning it: fence, ranges ahead, emptying and dropping.
-- Run at every installation (create or replace). Each runs with the installer's rights; grants.sql says who may call.

-- The greatest number drawn so far, and, read after it, the transactions that may still commit such numbers:
-- all that hold RowExclusiveLock on the log. "-1/…" is a prepared transaction found again after a crash.
create or replace function duplex.fence(out last bigint, out holders text[])
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    select case when is_called then last_value else 0 end into last from duplex.change_log_seq_seq;
    select coalesce(array_agg(distinct l.virtualtransaction), '{}') into holders
      from pg_locks l
     where l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and l.granted
       and l.database = (select d.oid from pg_database d where d.datname = current_database())
       and (l.relation = 'duplex.change_log'::regclass
            or l.relation in (select i.inhrelid from pg_inherits i where i.inhparent = 'duplex.change_log'::regclass));
end $$;

-- Makes ranges until `ahead` whole ones lie beyond the last number; returns how many were made. Attaching takes a
-- lock that writers do not notice; where they write into the overflow at this moment it leaves a range's width free,
-- and it waits (returns 0) while the overflow is too big to be looked through under a lock.
create or replace function duplex.extend_log(ahead integer)
returns integer language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '200ms' as $$
declare
    width bigint := (select segment_rows from duplex.meta);
    last bigint := (select case when is_called then last_value else 0 end from duplex.change_log_seq_seq);
    start bigint := coalesce((select max(beyond) from duplex.segment), 1);
    made integer := 0;
begin
    if start > 1 and last + width / 8 >= start then
        start := (last / width + 2) * width + 1;
    end if;
    if start > last + ahead * width or pg_relation_size('duplex.change_log_overflow') > 67108864 then
        return 0;
    end if;
    while start <= last + ahead * width loop
        perform duplex.add_segment(start, start + width);
        start := start + width;
        made := made + 1;
    end loop;
    return made;
end $$;

create or replace function duplex.add_segment(lower_seq bigint, upper_seq bigint)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    segment_name text := 'change_log_' || lower_seq;
begin
    execute format('create table duplex.%I (like duplex.change_log including defaults including indexes'
                   ' including storage)', segment_name);
    execute format('alter table duplex.%I set (autovacuum_enabled = false)', segment_name);
    execute format('alter table duplex.change_log attach partition duplex.%I for values from (%s) to (%s)',
                   segment_name, lower_seq, upper_seq);
    insert into duplex.segment (name, first, beyond) values (segment_name, lower_seq, upper_seq);
end $$;

-- Gives back the space of ranges that lie wholly at or below `mark`. Locks only those; nobody writes there any more.
create or replace function duplex.empty_segments(mark bigint)
returns integer language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '200ms' as $$
declare
    segment record;
    emptied integer := 0;
begin
    for segment in select s.name from duplex.segment s where s.beyond - 1 <= mark order by s.first loop
        if pg_relation_size(format('duplex.%I', segment.name)::regclass) > 0 then
            execute format('truncate table duplex.%I', segment.name);
            emptied := emptied + 1;
        end if;
    end loop;
    return emptied;
end $$;

-- Drops the oldest range that lies wholly at or below `mark`; true if there was one. Needs the whole log for a moment,
-- so it waits briefly for writers, who wait behind it no longer than that, and the caller tries again later.
create or replace function duplex.drop_segment(mark bigint)
returns boolean language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '50ms' as $$
declare
    segment_name text := (select s.name from duplex.segment s where s.beyond - 1 <= mark order by s.first limit 1);
begin
    if segment_name is null then
        return false;
    end if;
    execute format('drop table duplex.%I', segment_name);
    delete from duplex.segment s where s.name = segment_name;
    return true;
end $$;

-- Empties the overflow of everything at or below `mark`, if what is to be kept is little enough to be put back.
create or replace function duplex.clear_overflow(mark bigint)
returns boolean language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '50ms' as $$
declare
    kept duplex.change_log_overflow[];
begin
    if not exists (select from duplex.change_log_overflow where seq <= mark) then
        return false;
    end if;
    lock table duplex.change_log_overflow in access exclusive mode;
    kept := array(select o from (select * from duplex.change_log_overflow where seq > mark limit 10001) o);
    if cardinality(kept) > 10000 then
        return false;
    end if;
    truncate table duplex.change_log_overflow;
    insert into duplex.change_log_overflow overriding system value select k.* from unnest(kept) k;
    return true;
end $$;

-- Who answers here: (system identifier, timeline of the log being written, database). Another answer than the one
-- stored means another server: a restored copy, or a standby that took over.
create or replace function duplex.whereabouts(out system_identifier bigint, out timeline integer, out database oid)
language sql security definer set search_path = pg_catalog, pg_temp as $$
    select c.system_identifier,
           ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer,
           (select d.oid from pg_database d where d.datname = current_database())
      from pg_control_system() c
$$;

-- Note in the target when each row arrives, by its own clock; also for what replication writes.
create unlogged table if not exists stamp (id bigint, at timestamptz);
truncate stamp;
create or replace function stamp() returns trigger language plpgsql as $$
begin
    insert into public.stamp values (new.id, clock_timestamp());
    return null;
end $$;
create or replace trigger stamp after insert or update on item for each row execute function stamp();
alter table item enable always trigger stamp;

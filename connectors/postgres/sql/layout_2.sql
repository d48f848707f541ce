-- From layout 1 to 2: how deleted rows leave each captured table, and a table that keeps archived ones.
create table duplex.archive (
    entity text not null,
    local_id text not null,
    row jsonb not null,
    archived_at timestamptz not null default clock_timestamp(),
    command text not null
);
create index on duplex.archive (entity, local_id);
alter table duplex.captured
    add column removal jsonb not null default '{"mode": "remove"}',
    add column archive oid;

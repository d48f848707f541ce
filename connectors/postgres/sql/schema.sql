-- The schema `duplex` of one system: the change log, what is captured, and how far each reader came.
-- Run once by the installer's role, in the transaction of the whole installation. Owner of everything: that role.
-- This is the newest layout: a change here needs a step for what is installed already (layout_<version>.sql).
-- The relay and the sink get single rights (grants.sql); nobody else gets any.

create schema duplex;
comment on schema duplex is 'duplex: change capture. Made by its installation, removed by its uninstallation.';

-- Whose installation this is. `sink_role` is the only role whose mark `duplex.applying` counts.
create table duplex.meta (
    one boolean primary key default true check (one),
    pipeline text not null,
    system text not null,
    schema_version integer not null,
    installed_by text not null,
    relay_role text not null,
    sink_role text not null,
    segment_rows bigint not null check (segment_rows >= 16),
    installed_at timestamptz not null default clock_timestamp()
);

-- The identity of this log, and the relay's state. `incarnation` (epoch seconds) grows when the server turns out to
-- be another one than before: restored, failed over, copied. Every entry up to `low_mark` is safe in Kafka.
create table duplex.source (
    one boolean primary key default true check (one),
    incarnation bigint not null,
    system_identifier bigint not null,
    timeline integer not null,
    database oid not null,
    low_mark bigint not null default 0
);

-- One line per entity; `key_numbers` find the key columns again when they were renamed. `units` and `constants` as in
-- the project file: [["email"], ["street", "city"]], {"kind": "b"}. `removal`: how deleted rows leave the table;
-- `archive`: the user's table that they are moved to, if there is one.
create table duplex.captured (
    entity text primary key,
    number integer generated always as identity unique,
    relation oid not null,
    table_name text not null,
    key_columns text[] not null,
    key_numbers smallint[] not null,
    columns text[] not null,
    units jsonb not null,
    constants jsonb not null default '{}',
    granted text[] not null default '{}',
    fingerprint text not null default '',
    captured_at timestamptz not null default clock_timestamp(),
    removal jsonb not null default '{"mode": "remove"}',
    archive oid
);

-- Rows that the sink deleted, of entities whose deleted rows are archived and that name no table of their own for it.
create table duplex.archive (
    entity text not null,
    local_id text not null,
    row jsonb not null,
    archived_at timestamptz not null default clock_timestamp(),
    command text not null
);
create index on duplex.archive (entity, local_id);

-- One entry per changed row, truncation, or command carried out (`command` not null: an echo).
-- op: c u d r t as in the change event. Row images are the JSON text of the whole row under pinned output settings:
-- row_to_json(row)::text. A local id is '[' || to_json(key1)::text || ',' || to_json(key2)::text || ']'.
-- An asynchronous entry may be seen before it is on disk, and lost in a crash; the relay flushes before it believes one.
-- The number is drawn while RowExclusiveLock on this table is held: the relay's fence leans on that.
create table duplex.change_log (
    seq bigint generated always as identity (cache 1) primary key,
    transaction bigint not null default pg_catalog.txid_current(),
    ts timestamptz not null default pg_catalog.clock_timestamp(),
    entity text not null,
    op "char" not null,
    local_id text not null,
    before_id text,
    before text,
    after text,
    command text,
    record_id text,
    hop integer,
    outcome text,
    error text,
    asynchronous boolean not null default pg_catalog.current_setting('synchronous_commit') = 'off'
) partition by range (seq);

-- The ranges of the log, made ahead by duplex.extend_log. Numbers first .. beyond - 1 are in table `name`.
create table duplex.segment (
    name text primary key,
    first bigint not null unique,
    beyond bigint not null unique
);

-- Takes what no range was made for (the relay was away for long), so that a user's write never fails for it.
create table duplex.change_log_overflow partition of duplex.change_log default;

-- The sink's fence: per partition of the record log, the greatest input offset up to which all is carried out. `ahead`
-- counts the batches that were carried out beyond it.
create table duplex.progress (
    entity text not null,
    partition integer not null,
    reached bigint not null,
    ahead bigint not null default 0,
    primary key (entity, partition)
);

-- Commands carried out ahead of the fence while it was far behind: of each record, the input offset of the last one.
create table duplex.ahead (
    entity text not null,
    partition integer not null,
    record_id text not null,
    input_offset bigint not null,
    primary key (entity, partition, record_id)
);

-- Commands that wait for a row they refer to. `payload` is the command as it came off the topic.
create table duplex.parked (
    command text primary key,
    entity text not null,
    record_id text not null,
    partition integer not null,
    input_offset bigint not null,
    payload bytea not null,
    reason text not null,
    attempts integer not null default 1,
    parked_at timestamptz not null default clock_timestamp(),
    next_attempt timestamptz not null
);
create index on duplex.parked (next_attempt);

-- The initial load: the local id of the last row read, per entity.
create table duplex.load (
    entity text primary key,
    last_key text,
    rows bigint not null default 0,
    done boolean not null default false
);

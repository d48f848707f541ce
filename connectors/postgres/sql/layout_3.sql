-- From layout 2 to 3: commands carried out ahead of the fence. The fence's column is renamed, so that a sink of an older
-- version, which would carry those out a second time, is refused by the server.
alter table duplex.progress rename column input_offset to reached;
alter table duplex.progress add column ahead bigint not null default 0;
create table duplex.ahead (
    entity text not null,
    partition integer not null,
    record_id text not null,
    input_offset bigint not null,
    primary key (entity, partition, record_id)
);

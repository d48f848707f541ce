-- A table with a column of every type that Debezium has a way of its own to write, and rows at the edges of them.
-- (A numeric NaN is not among them: Debezium sends it as null.)
create table customers (
    id bigint primary key,
    email text not null,
    small smallint,
    price numeric(10, 2),
    loose numeric,
    ratio double precision,
    single real,
    active boolean,
    born date,
    seen timestamptz,
    made timestamp,
    coarse timestamp(0),
    at time,
    code uuid,
    doc jsonb,
    raw bytea,
    tags text[],
    days date[],
    flags bit(10)
);
alter table customers replica identity full;
insert into customers values
    (1, 'ada@example.org', -7, 781.55, 78.155, 1.5, 1.1, true, '2024-01-01', '2024-01-01 12:00:00.123456+02',
     '2024-01-01 12:00:00.123456', '2024-01-01 12:00:00', '23:59:59.999999', '09d4f9c6-0000-4000-8000-000000000000',
     '{"b": [1.10, null], "a": "x"}', '\x00ff', '{a,null,"c d"}', '{2024-01-01,0001-01-01}', B'1010000001'),
    (2, 'zero@example.org', 0, -0.01, 12345678901234567890123.4567890123, 'NaN', '-Infinity', false, '0001-01-01', '1969-12-31 23:59:59.999999+00',
     'infinity', '9999-12-31 23:59:59', '00:00:00', '00000000-0000-0000-0000-000000000000',
     '"text"', '', '{}', '{}', B'0000000000'),
    (3, 'nothing@example.org', null, null, null, null, null, null, null, null,
     null, null, null, null, null, null, null, null, null);

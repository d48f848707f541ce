-- The table that is measured: nine columns, as in the comparison with other pipelines. ROWS rows.
create table item (
    id bigint primary key,
    a text not null,
    b text not null,
    c text not null,
    n integer not null,
    rev integer not null,
    amt numeric(12, 2) not null,
    ts timestamptz not null,
    ok boolean not null
);
insert into item
select g, 'name-' || lpad(g::text, 15, '0'), 'mail-' || lpad((g * 7)::text, 15, '0'),
       'note-' || lpad((g * 13)::text, 15, '0'), g % 1000, 0, (g % 10000) / 100.0, '2026-01-01Z', g % 2 = 0
  from generate_series(1, ROWS) g;
create sequence turn;
analyze item;

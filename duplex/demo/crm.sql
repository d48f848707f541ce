-- The CRM's own schema: split names, status words, one address in three columns.
create schema shop;
comment on schema shop is 'made by duplex demo';

create table shop.contacts (
    id           bigint generated always as identity primary key,
    email        text not null,
    first_name   text not null default '',
    last_name    text not null default '',
    phone        text,
    status       text not null default 'lead' check (status in ('lead', 'active', 'former')),
    credit_limit numeric(12, 2) not null default 0,
    birthday     date,
    street       text,
    city         text,
    zip          text,
    note         text,
    changed_at   timestamptz not null default now()
);

-- Not unique on purpose: if duplex ever made a second row for one person, it would show.
create index on shop.contacts (email);

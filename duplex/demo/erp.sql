-- The ERP's own schema: one name column, coded status, dates as text, other words for the address.
create schema shop;
comment on schema shop is 'made by duplex demo';

create table shop.customers (
    customer_no  integer generated always as identity (start with 10001) primary key,
    mail         text not null,
    full_name    text not null default '',
    tel          text,
    status_code  char(1) not null default 'L' check (status_code in ('L', 'A', 'X')),
    credit       numeric(14, 2) not null default 0,
    born         varchar(10),
    addr1        text,
    town         text,
    postcode     text,
    account_manager text
);

-- Not unique on purpose: if duplex ever made a second row for one person, it would show.
create index on shop.customers (mail);

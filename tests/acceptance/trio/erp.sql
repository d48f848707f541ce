-- The second: customers, which are never deleted but marked.
create table public.customers (
    nr serial primary key,
    mail varchar(120) not null unique,
    full_name varchar(80),
    tel varchar(40),
    credit numeric(14, 4),
    addr text,
    town text,
    state text not null default 'live'
);

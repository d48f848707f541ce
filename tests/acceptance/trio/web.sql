-- The third: accounts under generated uuids, archived when they go.
create schema web;
create table web.accounts (
    uid uuid primary key default gen_random_uuid(),
    login text not null unique,
    display text,
    mobile text,
    balance numeric,
    line text,
    place text
);
create table web.former_accounts (uid uuid not null, login text, display text, mobile text, balance numeric, line text,
                                  place text, archived_at timestamptz not null default clock_timestamp());

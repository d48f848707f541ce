-- The test's own history of a table: what every write found and left, in the order of the row's commits, and who wrote.
-- Filled by a trigger of the test, from the rows alone: nothing in it comes from duplex.
create schema audit;
create table audit.history (
    n bigserial primary key,
    who text not null default current_setting('application_name'),
    before jsonb,
    after jsonb
);
create function audit.note() returns trigger language plpgsql as $$
begin
    insert into audit.history (before, after)
    values (case when tg_op <> 'INSERT' then to_jsonb(old) end, case when tg_op <> 'DELETE' then to_jsonb(new) end);
    return null;
end $$;

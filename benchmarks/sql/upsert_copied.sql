-- Rows copied into the temporary table `staging`, written whole.
insert into item
select * from staging
on conflict (id) do update
   set a = excluded.a, b = excluded.b, c = excluded.c, n = excluded.n, rev = excluded.rev, amt = excluded.amt,
       ts = excluded.ts, ok = excluded.ok

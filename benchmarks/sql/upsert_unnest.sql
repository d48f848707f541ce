-- Rows given as one array per column, written whole. $1 … $9: the columns of `item`.
insert into item
select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::integer[], $7::numeric[],
                     $8::timestamptz[], $9::boolean[])
on conflict (id) do update
   set a = excluded.a, b = excluded.b, c = excluded.c, n = excluded.n, rev = excluded.rev, amt = excluded.amt,
       ts = excluded.ts, ok = excluded.ok

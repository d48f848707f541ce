-- One client's transaction: an update that counts up a row's credit_limit, committed, rolled back, or among savepoints.
-- Rows are locked in the order of their ids, so that clients wait for each other but never in a circle.
\set low random(1, 60)
\set high random(61, 120)
\set way random(1, 10)
begin;
update shop.contacts set credit_limit = credit_limit + 1 where id = :low;
\if :way <= 2
rollback;
\elif :way <= 5
savepoint one;
update shop.contacts set credit_limit = credit_limit + 1, phone = 'never' where id = :high;
rollback to savepoint one;
savepoint two;
update shop.contacts set credit_limit = credit_limit + 1 where id = :high;
release savepoint two;
commit;
\elif :way = 6
savepoint three;
insert into shop.contacts (email) values ('never.' || :low || '@example.com');
rollback to savepoint three;
commit;
\else
commit;
\endif

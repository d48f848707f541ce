\set id random(:first, :last)
update item set a = 's-' || :id || '-' || rev, n = n + 1, rev = rev + 1, ts = clock_timestamp() where id = :id;

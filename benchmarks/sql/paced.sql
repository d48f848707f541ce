update item set n = n + 1, rev = rev + 1, a = 'l-' || id, ts = clock_timestamp()
 where id = (select nextval('turn'));

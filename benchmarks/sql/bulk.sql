-- A statement that changes a thousand rows. $1 first id  $2 last id  $3 what to write
update item set b = $3 || id, amt = amt + 1, rev = rev + 1, ok = not ok where id between $1 and $2

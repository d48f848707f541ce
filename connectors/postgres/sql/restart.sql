-- The record log of these entities begins anew: its offsets say nothing about commands carried out before, and no row
-- of theirs stands in it. $1 the entities. Forgets the fence and what was parked, and has every row loaded again.
with progress as (delete from duplex.progress where entity = any ($1::text[])),
     ahead as (delete from duplex.ahead where entity = any ($1::text[])),
     parked as (delete from duplex.parked where entity = any ($1::text[]))
update duplex.load set done = false, last_key = null, rows = 0 where entity = any ($1::text[])

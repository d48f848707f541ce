-- Parked commands whose time has come, locked. $1 entities  $2 how many  $3 total wait allowed (seconds)
select command, payload, attempts, parked_at + make_interval(secs => $3) <= clock_timestamp() as expired
  from duplex.parked
 where next_attempt <= clock_timestamp() and entity = any($1::text[])
 order by next_attempt
 limit $2
   for update skip locked

-- After a try. $1 commands that were settled  $2 commands that go on waiting  $3 their reasons  $4 waits (seconds)
with gone as (
    delete from duplex.parked where command = any($1::text[])
)
update duplex.parked p
   set attempts = p.attempts + 1, reason = waiting.reason,
       next_attempt = clock_timestamp() + make_interval(secs => waiting.wait)
  from unnest($2::text[], $3::text[], $4::float8[]) as waiting(command, reason, wait)
 where p.command = waiting.command

-- Parks commands that wait for something outside the batch. In the transaction that moves the fence past them.
-- $1 commands  $2 entities  $3 record ids  $4 partitions  $5 input offsets  $6 payloads  $7 reasons  $8 wait (seconds)
insert into duplex.parked (command, entity, record_id, partition, input_offset, payload, reason, next_attempt)
select command, entity, record_id, partition, input_offset, payload, reason, clock_timestamp() + make_interval(secs => $8)
  from unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::bytea[], $7::text[])
       as waiting(command, entity, record_id, partition, input_offset, payload, reason)
on conflict (command) do nothing

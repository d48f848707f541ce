-- Moves the fence. $1 entities  $2 partitions  $3 greatest input offsets carried out, side by side.
update duplex.progress p set input_offset = greatest(p.input_offset, done.input_offset)
  from unnest($1::text[], $2::int[], $3::bigint[]) as done(entity, partition, input_offset)
 where p.entity = done.entity and p.partition = done.partition

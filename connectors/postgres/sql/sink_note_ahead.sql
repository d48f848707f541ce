-- Notes commands that this transaction carried out ahead of the fence, whose line it has locked; each record once.
-- $1 entities  $2 partitions  $3 record ids  $4 input offsets, side by side. Returns how many batches did so, by place.
with done as (
    select * from unnest($1::text[], $2::int[], $3::text[], $4::bigint[]) as done(entity, partition, record_id, input_offset)
), noted as (
    insert into duplex.ahead as a (entity, partition, record_id, input_offset)
    select entity, partition, record_id, input_offset from done
    on conflict (entity, partition, record_id) do update set input_offset = greatest(a.input_offset, excluded.input_offset)
)
update duplex.progress p set ahead = p.ahead + 1
  from (select distinct entity, partition from done) as place
 where p.entity = place.entity and p.partition = place.partition
returning p.entity, p.partition, p.ahead

-- The sink's fence: how far each (entity, partition) of the record log was carried out before this transaction, and moved
-- by it; locked until commit, so that two sinks of one partition (a zombie and its successor) take turns and the later
-- one sees what the earlier did. With it, how many batches were carried out ahead of the fence (duplex.ahead).
-- $1 entities  $2 partitions  $3 greatest input offsets that are about to be carried out, side by side (-1: the fence stays
-- where it is). A line that is missing is made first, or there would be nothing to lock.
with asked as (
    select * from unnest($1::text[], $2::int[], $3::bigint[]) as asked(entity, partition, reached)
), made as (
    insert into duplex.progress (entity, partition, reached)
    select entity, partition, reached from asked
     where not exists (select from duplex.progress p where p.entity = asked.entity and p.partition = asked.partition)
     order by entity, partition
    on conflict do nothing
    returning entity, partition, ahead
), held as (
    select p.entity, p.partition, p.reached, p.ahead, asked.reached as moved_to
      from duplex.progress p join asked using (entity, partition)
     order by p.entity, p.partition
       for update of p
), moved as (
    update duplex.progress p set reached = held.moved_to
      from held
     where p.entity = held.entity and p.partition = held.partition and held.moved_to > held.reached
)
select entity, partition, reached, ahead from held union all select entity, partition, -1, ahead from made

-- The sink's fence: how far each (entity, partition) of the record log was carried out, locked until commit, so that
-- two sinks of one partition (a zombie and its successor) take turns and the later one sees what the earlier did.
-- $1 entities  $2 partitions, side by side. A line that is missing is made first, or there would be nothing to lock.
with asked as (
    select * from unnest($1::text[], $2::int[]) as asked(entity, partition)
), made as (
    insert into duplex.progress (entity, partition, input_offset)
    select entity, partition, -1 from asked
     where not exists (select from duplex.progress p where p.entity = asked.entity and p.partition = asked.partition)
     order by entity, partition
    on conflict do nothing
    returning entity, partition, input_offset
), held as (
    select p.entity, p.partition, p.input_offset
      from duplex.progress p join asked using (entity, partition)
     order by p.entity, p.partition
       for update of p
)
select * from held union all select * from made

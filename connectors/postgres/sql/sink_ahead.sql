-- What of a place was carried out ahead of the fence, in one look with the number of batches that did so.
-- $1 entity  $2 partition. No line: nothing of this place was ever carried out.
select p.ahead, coalesce(array_agg(a.record_id) filter (where a.record_id is not null), '{}') as records,
       coalesce(array_agg(a.input_offset) filter (where a.record_id is not null), '{}') as offsets
  from duplex.progress p left join duplex.ahead a using (entity, partition)
 where p.entity = $1 and p.partition = $2
 group by p.entity, p.partition

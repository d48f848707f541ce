-- Stores what is safe in Kafka: the low mark, and how far the initial load came.
-- $1 mark   $2 entities   $3 last key of each   $4 rows read since   $5 whether it is done
with marked as (
    update duplex.source set low_mark = $1 where low_mark < $1
)
update duplex.load l
   set last_key = coalesce(p.last_key, l.last_key), rows = l.rows + p.rows, done = p.done
  from unnest($2::text[], $3::text[], $4::bigint[], $5::boolean[]) as p(entity, last_key, rows, done)
 where l.entity = p.entity

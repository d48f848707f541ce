-- The next entries to publish, in order of their numbers, all from one snapshot.
-- $1, $2 first and last number of each gap   $3 the first number beyond those seen   $4 how many at most
-- A gap must be asked for together with the tail: an entry of a gap may be the elder of one in the tail.
-- `origin` is null, or what an echo says of its command: command, record id, hop, outcome, error.
select n.seq, n.transaction, (date_part('epoch', n.ts) * 1000000)::bigint as ts_us, n.entity, n.op::text, n.local_id,
       n.before_id, n.before, n.after,
       case when n.command is not null then array[n.command, n.record_id, n.hop::text, n.outcome, n.error] end as origin,
       n.asynchronous
  from (
        (select g.* from unnest($1::bigint[], $2::bigint[]) as r(low, high)
          cross join lateral (select * from duplex.change_log l where l.seq between r.low and r.high
                               order by l.seq limit $4) g)
        union all
        (select * from duplex.change_log l where l.seq >= $3 order by l.seq limit $4)
       ) n
 order by n.seq
 limit $4

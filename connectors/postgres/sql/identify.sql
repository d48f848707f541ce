-- Who this log is, after a look at who the server is: a new incarnation if it is another than before.
with here as (select * from duplex.whereabouts()),
moved as (
    update duplex.source s
       set incarnation = greatest(s.incarnation + 1, extract(epoch from clock_timestamp())::bigint),
           system_identifier = h.system_identifier, timeline = h.timeline, database = h.database
      from here h
     where (s.system_identifier, s.timeline, s.database) is distinct from (h.system_identifier, h.timeline, h.database)
    returning s.incarnation
)
select coalesce((select incarnation from moved), s.incarnation) as incarnation, s.low_mark,
       exists (select from moved) as moved
  from duplex.source s

-- Entries beyond the low mark, which is to say not known to be safe in Kafka yet, counted up to $1.
select count(*) from (
    select from duplex.change_log where seq > (select low_mark from duplex.source) limit $1
) as beyond

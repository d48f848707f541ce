-- From the editor's clock to the commit that made the edit visible here, in milliseconds. $1 since when
-- $2 first id  $3 last id: the rows that were edited on the other side.
select coalesce(array_agg(1000 * extract(epoch from pg_xact_commit_timestamp(xmin) - ts)::float8), '{}')
  from item
 where ts >= $1 and id between $2 and $3

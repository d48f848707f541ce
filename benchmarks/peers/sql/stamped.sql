-- From the editor's clock to the arrival that the trigger noted, in milliseconds. $1 since when
-- $2 first id  $3 last id: the rows that were edited on the other side.
select coalesce(array_agg(1000 * extract(epoch from s.at - i.ts)::float8), '{}')
  from item i join stamp s using (id)
 where i.ts >= $1 and id between $2 and $3

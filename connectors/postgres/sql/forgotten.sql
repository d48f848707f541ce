-- Entities that are captured but no longer in the project: their entries go unread from now on, so that a later return
-- begins with a load of its own. $1 the entities that are in it. Does nothing for an empty project.
update duplex.load set done = false, last_key = null, rows = 0
 where not entity = any ($1::text[]) and cardinality($1::text[]) > 0

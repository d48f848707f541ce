-- Everything of a place up to an input offset is carried out, in order or ahead, and the fence alone says so.
-- $1 entity  $2 partition  $3 that offset
delete from duplex.ahead where entity = $1 and partition = $2 and input_offset <= $3

-- Brings everything committed so far to disk: a commit of our own that waits for its place in the write-ahead log.
-- Needed where writers do not wait (synchronous_commit = off): what Kafka was told, the server must not forget.
update duplex.source set low_mark = low_mark

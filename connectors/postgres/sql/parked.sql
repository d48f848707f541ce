-- Commands that wait in this database for a row they refer to.
select count(*) from duplex.parked

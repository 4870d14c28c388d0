-- name: count_closures
-- Closures that ingest has committed.
select count(*) from ingest.closure;

-- name: count_decisions
-- Closures that the scheduler has decided.
select count(*) from scheduler.closure where outcome is not null;

-- name: count_said
-- Events that wait in ingest's outbox.
select count(*) from ingest.outbox;

-- name: clone
-- An empty table of the same columns and keys.
create table bench.{table} (like {schema}.{table} including defaults including indexes including constraints);

-- name: create_schema
-- Where clones live.
create schema bench;

-- name: read
-- Every row of a table.
select * from {schema}.{table};

-- name: delete_returning
-- The relay's limit: the rows taken out and handed over, without Kafka.
delete from bench.outbox returning position, topic, key, value;

-- name: drop
-- Makes way for the next flow's clones.
drop table bench.{table};

-- name: furnish
-- The schema and the outbox that every room has; the limits' room stays silent.
call services.furnish('bench');

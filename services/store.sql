-- name: begin
-- Opens a transaction.
begin;

-- name: commit
-- Makes it true.
commit;

-- name: roll_back
-- Makes it untrue.
rollback;

-- name: find_api_key
-- The name and role behind a bearer key's hash, unless it was revoked.
select name, role from services.api_key where key_hash = $1 and revoked_at is null;

-- name: insert_api_key
-- A new bearer key; no row where the name is taken.
insert into services.api_key (key_hash, name, role) values ($1, $2, $3)
on conflict do nothing
returning name;

-- name: revoke_api_key
-- Ends a bearer key; no row where there is none of that name.
update services.api_key set revoked_at = clock_timestamp() where name = $1 and revoked_at is null
returning name;

-- name: list_api_keys
-- Every key that was ever made, newest first, without its hash.
select name, role, created_at, revoked_at from services.api_key order by created_at desc, name;

-- name: find_person_keys
-- The wrapped data keys of persons; `wrapped` is null where the person was erased.
select person, key_id, wrapped from services.person_key where person = any($1::uuid[]);

-- name: insert_person_keys
-- New data keys; a person who has one already (or was erased) keeps it.
insert into services.person_key (person, key_id, wrapped)
select * from unnest($1::uuid[], $2::text[], $3::bytea[])
on conflict do nothing;

-- name: take_lease
-- Takes or renews a lease for `$3` seconds; no row where another holds it.
insert into services.lease (name, holder, until)
values ($1, $2, clock_timestamp() + make_interval(secs => $3))
on conflict (name) do update set holder = excluded.holder, until = excluded.until
where services.lease.holder = excluded.holder or services.lease.until < clock_timestamp()
returning holder;

-- name: give_up_lease
-- Lets another take it at once.
delete from services.lease where name = $1 and holder = $2;

-- name: hold_idempotency_key
-- Takes a key for a write that begins; no row where it is taken, unless whoever took it went silent for `$4` seconds.
insert into services.idempotency (caller, key, request_hash) values ($1, $2, $3)
on conflict (caller, key) do update set created_at = clock_timestamp()
where services.idempotency.status is null
  and services.idempotency.request_hash = excluded.request_hash
  and services.idempotency.created_at < clock_timestamp() - make_interval(secs => $4)
returning true;

-- name: find_idempotent_answer
-- What was answered the first time; `status` is null while there is no answer yet.
select request_hash, status, content_type, headers, body from services.idempotency where caller = $1 and key = $2;

-- name: keep_idempotent_answer
-- Remembers an answer; the first one stays.
update services.idempotency set status = $3, content_type = $4, headers = $5, body = $6
where caller = $1 and key = $2 and status is null;

-- name: free_idempotency_key
-- Lets a write be tried again that was not done.
delete from services.idempotency where caller = $1 and key = $2 and status is null;

-- name: forget_idempotent_answers
-- Drops answers older than a day.
delete from services.idempotency where created_at < clock_timestamp() - interval '1 day';

-- name: beat
-- A write that shows that writing works.
insert into services.heartbeat (process, beat_at) values ($1, clock_timestamp())
on conflict (process) do update set beat_at = excluded.beat_at;

-- name: forget_heartbeats
-- Drops the beats of processes that are gone.
delete from services.heartbeat where beat_at < clock_timestamp() - interval '1 day';

-- name: lock_partitions
-- One transaction at a time per room and partition: a consumer that lost its partition waits for the new owner, or he for it.
select pg_advisory_xact_lock(hashtextextended(name, 0)) from unnest($1::text[]) as name order by name;

-- name: take_from_outbox
-- Removes what has reached its topic and returns what comes next, in the order in which it was said.
with gone as (delete from {room}.outbox where position = any($1::bigint[]))
select position, topic, key, value from {room}.outbox
where position > $2 order by position limit $3;

-- name: relax_durability
-- This commit need not wait for the disk: should a crash undo the deletion, the events are sent again, as they may be.
select set_config('synchronous_commit', 'off', true);

-- name: delete_from_outbox
-- Removes what has reached its topic.
delete from {room}.outbox where position = any($1::bigint[]);

-- name: measure_outbox
-- Rows that wait, and the age in seconds of the oldest.
select count(*) as rows, coalesce(extract(epoch from clock_timestamp() - min(said_at)), 0)::float8 as oldest
from {room}.outbox;

-- name: create_migration_table
-- Remembers which migrations were applied.
create table if not exists public.huifang_migration (
    room       text not null,
    name       text not null,
    checksum   text not null,
    applied_at timestamptz not null default clock_timestamp(),
    primary key (room, name)
);

-- name: find_migration_table
-- Whether any migration was ever applied.
select to_regclass('public.huifang_migration') is not null;

-- name: lock_migrations
-- One migration run at a time.
select pg_advisory_xact_lock(hashtextextended('huifang migrate', 0));

-- name: list_migrations
-- What was applied.
select room, name, checksum from public.huifang_migration order by room, name;

-- name: insert_migration
-- Notes a migration as applied.
insert into public.huifang_migration (room, name, checksum) values ($1, $2, $3);

-- name: set_lock_timeout
-- A migration gives up rather than queue behind a long transaction and block everybody.
select set_config('lock_timeout', $1, true);

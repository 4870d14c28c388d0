-- name: claim_overdue_reports
-- Promised reports that were last said longer ago than `$1`, doubled with every saying.
select id, type, event from ingest.report
where said_at < clock_timestamp() - $1::interval * (1 << least(sayings - 1, 10))
order by said_at
limit $2
for update skip locked;

-- name: say_reports_again
-- Notes that reports were said once more.
update ingest.report set said_at = clock_timestamp(), sayings = least(sayings + 1, 1000) where id = any($1::uuid[]);

-- name: delete_reports
-- Drops reports whose moves are recorded.
delete from ingest.report where id = any($1::uuid[]);

-- name: lock_tickets
-- The moves of known tickets, each locked until the transaction ends, in one order for everybody.
select t.source, t.ticket, t.moves
from unnest($1::text[], $2::text[]) as told (source, ticket)
join ingest.ticket t using (source, ticket)
order by t.source, t.ticket
for update of t;

-- name: find_tickets
-- The moves of known tickets.
select t.source, t.ticket, t.moves
from unnest($1::text[], $2::text[]) as told (source, ticket)
join ingest.ticket t using (source, ticket);

-- name: update_tickets
-- More moves of known tickets, which the transaction has locked.
update ingest.ticket t set moves = told.moves
from unnest($1::text[], $2::text[], $3::text[]) as told (source, ticket, moves)
where t.source = told.source and t.ticket = told.ticket;

-- name: save_closures
-- Closures as they are now; the scheduler has to hear of each.
insert into ingest.closure (source, ticket, closure, closed_at, reopened_at, registered, with_contact)
select * from unnest(
    $1::text[], $2::text[], $3::integer[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::boolean[]
)
on conflict (source, ticket, closure) do update set
    closed_at = excluded.closed_at, reopened_at = excluded.reopened_at, registered = excluded.registered,
    with_contact = excluded.with_contact, said_at = clock_timestamp(), sayings = 1, heard_at = null;

-- name: mark_heard
-- Closures that the scheduler has decided. A decision without a contact is no echo of a closure said with one.
update ingest.closure c set heard_at = clock_timestamp()
from unnest($1::text[], $2::text[], $3::integer[], $4::boolean[]) as told (source, ticket, closure, with_contact)
where c.source = told.source and c.ticket = told.ticket and c.closure = told.closure
  and c.heard_at is null and (told.with_contact or not c.with_contact);

-- name: claim_unheard_closures
-- Closures without an echo that were last said longer ago than `$1`, doubled with every saying; now said once more.
update ingest.closure c set said_at = clock_timestamp(), sayings = least(c.sayings + 1, 1000)
from (
    select source, ticket, closure from ingest.closure
    where heard_at is null and said_at < clock_timestamp() - $1::interval * (1 << least(sayings - 1, 10))
    order by said_at
    limit $2
    for update skip locked
) as unheard
where c.source = unheard.source and c.ticket = unheard.ticket and c.closure = unheard.closure
returning c.source, c.ticket, c.closure;

-- name: find_registered_closures
-- The closures since `$3` that stand and depend on the register for one person.
select source, ticket, closure from ingest.closure
where source = $1 and registered = $2 and closed_at >= $3 and reopened_at is null;

-- name: find_missed_contacts
-- The closures said without a contact although the register has got one lately (but not just now: `$1` ago).
select c.source, c.ticket, c.closure
from ingest.contact r
join ingest.closure c on c.source = r.source and c.registered = r.id
where r.updated_at between clock_timestamp() - $1::interval - interval '1 hour' and clock_timestamp() - $1::interval
  and cardinality(r.channels) > 0 and not c.with_contact and c.reopened_at is null
limit $2;

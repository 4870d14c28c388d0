-- name: lock_occasions
-- What is known of occasions, each locked until the transaction ends, in one order for everybody.
select o.source, o.kind, o.id, o.told
from unnest($1::text[], $2::text[], $3::text[]) as wanted (source, kind, id)
join ingest.occasion o using (source, kind, id)
order by o.source, o.kind, o.id
for update of o;

-- name: find_occasions
-- What is known of occasions.
select o.source, o.kind, o.id, o.told
from unnest($1::text[], $2::text[], $3::text[]) as wanted (source, kind, id)
join ingest.occasion o using (source, kind, id);

-- name: update_occasions
-- Occasions as they are now; the scheduler has to hear of each.
update ingest.occasion o set
    told = n.told, at = n.at, registered = n.registered, with_contact = n.with_contact,
    said_at = clock_timestamp(), sayings = 1, heard_at = null
from unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::boolean[]
) as n (source, kind, id, told, at, registered, with_contact)
where o.source = n.source and o.kind = n.kind and o.id = n.id;

-- name: mark_occasions_heard
-- Occasions that the scheduler has decided. A decision without a contact is no echo of one said with a contact.
update ingest.occasion o set heard_at = clock_timestamp()
from unnest($1::text[], $2::text[], $3::text[], $4::boolean[]) as echo (source, kind, id, with_contact)
where o.source = echo.source and o.kind = echo.kind and o.id = echo.id
  and o.heard_at is null and (echo.with_contact or not o.with_contact);

-- name: claim_unheard_occasions
-- Occasions without an echo that were last said longer ago than `$1`, doubled with every saying; now said once more.
update ingest.occasion o set said_at = clock_timestamp(), sayings = least(o.sayings + 1, 1000)
from (
    select source, kind, id from ingest.occasion
    where heard_at is null and said_at < clock_timestamp() - $1::interval * (1 << least(sayings - 1, 10))
    order by said_at
    limit $2
    for update skip locked
) as unheard
where o.source = unheard.source and o.kind = unheard.kind and o.id = unheard.id
returning o.source, o.kind, o.id;

-- name: find_registered_occasions
-- The occasions since `$3` that depend on the register for one person.
select source, kind, id from ingest.occasion where source = $1 and registered = $2 and at >= $3;

-- name: find_missed_occasions
-- The occasions said without a contact although the register has got one lately (but not just now: `$1` ago).
select o.source, o.kind, o.id
from ingest.contact r
join ingest.occasion o on o.source = r.source and o.registered = r.id
where r.updated_at between clock_timestamp() - $1::interval - interval '1 hour' and clock_timestamp() - $1::interval
  and cardinality(r.channels) > 0 and not o.with_contact
limit $2;

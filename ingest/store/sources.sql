-- name: list_sources
-- Every source, with the secrets that are valid now, the newest first.
select s.name, s.mapping, s.scheme, s.timezone, s.enabled,
       coalesce(array_agg(k.sealed order by k.id desc) filter (where k.sealed is not null), '{}') as secrets
from ingest.source s
left join ingest.secret k on k.source = s.name and (k.ends_at is null or k.ends_at > clock_timestamp())
group by s.name
order by s.name;

-- name: source_names
-- The names of all sources.
select name from ingest.source;

-- name: insert_source
-- A new source; no row where there is one of that name.
insert into ingest.source (name, mapping, scheme, timezone) values ($1, $2, $3, $4)
on conflict do nothing
returning name;

-- name: enable_source
-- Opens or closes a source.
update ingest.source set enabled = $2 where name = $1;

-- name: retire_secrets
-- Lets a source's current secret end after `$2`, so that the next one can take its place.
update ingest.secret set ends_at = clock_timestamp() + $2::interval where source = $1 and ends_at is null;

-- name: insert_secret
-- A source's current secret.
insert into ingest.secret (source, sealed) values ($1, $2);

-- name: insert_receipts
-- Notes deliveries; those that are known already return no row.
insert into ingest.receipt (source, delivery, body_hash)
select * from unnest($1::text[], $2::text[], $3::bytea[])
on conflict do nothing
returning source, delivery, body_hash;

-- name: find_receipts
-- The bodies' hashes that came with known deliveries.
select r.source, r.delivery, r.body_hash
from unnest($1::text[], $2::text[]) as told (source, delivery)
join ingest.receipt r using (source, delivery);

-- name: forget_receipts
-- Drops the oldest receipts beyond eight days: longer than any sender tries again, and than any window of a signature.
delete from ingest.receipt where ctid = any(array(
    select ctid from ingest.receipt where received_at < clock_timestamp() - interval '8 days' limit $1
));

-- name: find_contacts
-- The register's entries for persons.
select c.source, c.id, c.person, c.channels, c.sealed, c.locale, c.timezone, c.staff, c.customer, c.version
from unnest($1::text[], $2::text[]) as told (source, id)
join ingest.contact c using (source, id);

-- name: insert_contact
-- A new entry of the register; no row where there is one.
insert into ingest.contact (source, id, person, channels, sealed, locale, timezone, staff, customer)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict do nothing
returning version;

-- name: update_contact
-- The next version of an entry; no row where it is not at version `$10`.
update ingest.contact set
    person = $3, channels = $4, sealed = $5, locale = $6, timezone = $7, staff = $8, customer = $9,
    version = version + 1, updated_at = clock_timestamp()
where source = $1 and id = $2 and version = $10
returning version;

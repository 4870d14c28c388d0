-- name: find_contacts
-- The register's entries for persons.
select c.source, c.id, c.person, c.channels, c.sealed, c.locale, c.timezone, c.staff, c.customer, c.version,
       c.roles, c.projects, c.consent
from unnest($1::text[], $2::text[]) as told (source, id)
join ingest.contact c using (source, id);

-- name: find_people
-- The people of customers.
select c.source, c.id, c.person, c.channels, c.sealed, c.locale, c.timezone, c.staff, c.customer, c.version,
       c.roles, c.projects, c.consent
from ingest.contact c
where c.customer = any($1::text[])
order by c.customer, c.source, c.id;

-- name: save_contacts
-- Entries of the register, new ones or the next version of those that are at the version named; others return no row.
insert into ingest.contact as c (
    source, id, person, sealed, locale, timezone, staff, customer, version, channels, roles, projects, consent
)
select source, id, person, sealed, locale, timezone, staff, customer, version + 1,
       array(select jsonb_array_elements_text(channels)), array(select jsonb_array_elements_text(roles)),
       array(select jsonb_array_elements_text(projects)), array(select jsonb_array_elements_text(consent))
from unnest(
    $1::text[], $2::text[], $3::uuid[], $4::bytea[], $5::text[], $6::text[], $7::boolean[], $8::text[], $9::integer[],
    $10::jsonb[], $11::jsonb[], $12::jsonb[], $13::jsonb[]
) as told (
    source, id, person, sealed, locale, timezone, staff, customer, version, channels, roles, projects, consent
)
on conflict (source, id) do update set
    person = excluded.person, sealed = excluded.sealed, locale = excluded.locale, timezone = excluded.timezone,
    staff = excluded.staff, customer = excluded.customer, version = excluded.version, channels = excluded.channels,
    roles = excluded.roles, projects = excluded.projects, consent = excluded.consent, updated_at = clock_timestamp()
where c.version + 1 = excluded.version
returning source, id, version;

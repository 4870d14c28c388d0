-- name: find_customers
-- Customers of the register.
select customer, facts, name, ended, version, changed_at from ingest.customer where customer = any($1::text[]);

-- name: lock_customers
-- Customers of the register, which nobody else changes until the transaction ends.
select customer, facts, name, ended, version, changed_at from ingest.customer
where customer = any($1::text[])
order by customer
for update;

-- name: list_customers
-- Customers after `$2` whose facts contain `$1`, in the order of their ids.
select customer, facts, name, ended, version, changed_at from ingest.customer
where facts @> $1::jsonb and customer > $2 and ended = $3
order by customer
limit $4;

-- name: save_customers
-- Customers, new ones or the next version of those that are at the version named; others return no row.
insert into ingest.customer as c (customer, facts, name, ended, version, changed_at)
select customer, facts, name, ended, version + 1, $6
from unnest($1::text[], $2::jsonb[], $3::text[], $4::boolean[], $5::integer[])
    as told (customer, facts, name, ended, version)
on conflict (customer) do update set
    facts = excluded.facts, name = excluded.name, ended = excluded.ended, version = excluded.version
where c.version + 1 = excluded.version
returning customer, version;

-- name: touch_customers
-- Notes that customers of the register, or their people, have changed and are said; each time later than the last.
update ingest.customer c set
    changed_at = greatest($2, c.changed_at + interval '1 microsecond'),
    people = (select count(*) from ingest.contact p where p.customer = c.customer),
    said_at = clock_timestamp(), sayings = 1, heard_at = null
from (
    select customer from ingest.customer where customer = any($1::text[]) order by customer for update
) as changed
where c.customer = changed.customer
returning c.customer, c.facts, c.name, c.ended, c.version, c.changed_at;

-- name: mark_customers_heard
-- Customers whom the scheduler knows as they are now.
update ingest.customer c set heard_at = clock_timestamp()
from unnest($1::text[], $2::timestamptz[]) as told (customer, changed_at)
where c.customer = told.customer and c.heard_at is null and c.changed_at <= told.changed_at;

-- name: claim_unheard_customers
-- Customers without an echo that were last said longer ago than `$1`, doubled with every saying; now said once more.
update ingest.customer c set said_at = clock_timestamp(), sayings = least(c.sayings + 1, 1000)
from (
    select customer from ingest.customer
    where heard_at is null and said_at < clock_timestamp() - $1::interval * (1 << least(sayings - 1, 10))
    order by said_at
    limit $2
    for update skip locked
) as unheard
where c.customer = unheard.customer
returning c.customer, c.facts, c.name, c.ended, c.version, c.changed_at;

-- name: find_miscounted_customers
-- Customers said lately (but not just now: `$1` ago) with fewer or more people than they have.
select c.customer from ingest.customer c
where c.said_at between clock_timestamp() - $1::interval - interval '1 hour' and clock_timestamp() - $1::interval
  and c.people <> (select count(*) from ingest.contact p where p.customer = c.customer)
limit $2;

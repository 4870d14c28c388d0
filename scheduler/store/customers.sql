-- name: upsert_customers
-- Customers as the register tells of them, unless something newer was told.
insert into scheduler.customer as c (customer, changed_at, name, facts, contacts, ended)
select customer, changed_at, name, facts::json, contacts::json, ended
from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::boolean[])
as new(customer, changed_at, name, facts, contacts, ended) order by customer
on conflict (customer) do update set changed_at = excluded.changed_at, name = excluded.name, facts = excluded.facts,
    contacts = excluded.contacts, ended = excluded.ended
where c.changed_at <= excluded.changed_at;

-- name: find_customers
-- Customers by their ids, with their last complaint and grade.
select c.customer, c.facts, c.contacts, p.complained, g.grade
from scheduler.customer c left join scheduler.complaint p using (customer)
left join lateral (select grade from scheduler.grade g where g.customer = c.customer order by year desc limit 1) g on true
where c.customer = any($1::text[]) and not c.ended;

-- name: list_customers
-- The register: every customer that has not ended.
select c.customer, c.facts, c.contacts, p.complained, g.grade
from scheduler.customer c left join scheduler.complaint p using (customer)
left join (select distinct on (customer) customer, grade from scheduler.grade order by customer, year desc) g
    using (customer)
where not c.ended
order by c.customer;

-- name: find_last_change
-- When the register last changed.
select max(changed_at) from scheduler.customer;

-- name: upsert_complaints
-- Notes the latest day on which customers complained.
insert into scheduler.complaint as c (customer, complained)
select customer, complained from unnest($1::text[], $2::date[]) as new(customer, complained) order by customer
on conflict (customer) do update set complained = greatest(c.complained, excluded.complained);

-- name: is_graded
-- Whether a policy has graded for a year.
select exists (select from scheduler.grade where policy = $1 and year = $2);

-- name: insert_grades
-- The grades that a policy gives for a year; what stands already stays.
insert into scheduler.grade (policy, year, customer, rank, points, earned, missing, grade, tied, graded_at)
select $1, $2, customer, rank, points, earned::json, string_to_array(missing, E'\x01'), grade, tied, $3
from unnest($4::text[], $5::integer[], $6::float8[], $7::text[], $8::text[], $9::text[], $10::boolean[])
as new(customer, rank, points, earned, missing, grade, tied)
on conflict do nothing;

-- name: list_grades
-- The grades of a policy for a year, best first, after a rank.
select customer, rank, points, earned, missing, grade, tied, graded_at from scheduler.grade
where policy = $1 and year = $2 and rank > $3 order by rank limit $4;

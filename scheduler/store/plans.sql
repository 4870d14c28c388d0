-- name: find_successions
-- The approved versions of every policy that have taken effect, in the order in which they did.
select policy, version, effective_from, checksum from scheduler.policy_version
where state = 'approved' and effective_from <= $1
order by policy, effective_from, version;

-- name: find_drawn_terms
-- Of which surveys and terms there are plans.
select policy, survey, term from scheduler.plan;

-- name: find_register_changes
-- When the register changed first, of all that it says still, and last; nothing where it is empty.
select min(changed_at) as first, max(changed_at) as last from scheduler.customer where not ended;

-- name: find_all_opted_out
-- Everybody who wants never to be asked.
select person from scheduler.person where opted_out_at is not null;

-- name: insert_plan
-- A new plan; no row where another worker was faster.
insert into scheduler.plan (id, policy, version, survey, period, term, starts, ends, draw_from, ready_by, opens_at,
    promised_by, seed, drawn_at, required, covered, active, approver, begins_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
on conflict do nothing
returning id;

-- name: claim_turns
-- Units whose turn has come, of the plans that are carried out, past those that another worker has.
select u.plan, u.number, u.customer, u.project, u.organisation, u.stratum, u.people, p.policy, p.version, p.survey,
    p.period, p.term, p.starts, p.ends, p.draw_from, p.ready_by, p.opens_at, p.promised_by, p.seed, p.begins_at,
    u.layer, u.layer_size
from scheduler.plan p join scheduler.plan_unit u on u.plan = p.id
where p.settled_at is null and p.begins_at <= $1 and u.chosen and u.asked_at is null
order by p.begins_at, u.plan, u.number
limit $2
for update of u skip locked;

-- name: save_asked
-- Notes that units were asked, and when their plans were opened.
with asked as (
    update scheduler.plan_unit u set asked_at = $1
    from unnest($2::uuid[], $3::integer[]) as a(plan, number)
    where u.plan = a.plan and u.number = a.number
    returning u.plan)
update scheduler.plan set opened_at = $1 where id in (select plan from asked) and opened_at is null;

-- name: find_silent_units
-- Asked units of plans whose promise can still be kept, of whom nobody was reached and nobody is being asked.
select u.plan, u.number, u.ticket
from scheduler.plan p join scheduler.plan_unit u on u.plan = p.id
where p.settled_at is null and p.begins_at <= $1 and p.promised_by > $1 and u.asked_at is not null
    and u.lost_at is null and not exists (
        select from scheduler.survey s
        where s.source = 'plan' and s.ticket = u.ticket and (s.contacted_at is not null or s.ended_at is null))
order by u.plan, u.number
limit $2;

-- name: find_results
-- What came of the turns under tickets of the ledger, in their order.
select c.ticket, c.outcome, s.state, s.contacted_at is not null as reached
from scheduler.closure c left join scheduler.survey s using (source, ticket, closure)
where c.source = 'plan' and c.ticket = any($1::text[])
order by c.ticket, c.closure;

-- name: lock_plan
-- A plan, kept from other workers until the commit.
select id, policy, version, survey, period, term, starts, ends, draw_from, ready_by, opens_at, promised_by, seed,
    drawn_at, required, covered, active, approver, approved_at, approved_by, note, begins_at, opened_at, settled_at,
    reached, covered_after
from scheduler.plan where id = $1 for update;

-- name: find_plan
-- One plan.
select id, policy, version, survey, period, term, starts, ends, draw_from, ready_by, opens_at, promised_by, seed,
    drawn_at, required, covered, active, approver, approved_at, approved_by, note, begins_at, opened_at, settled_at,
    reached, covered_after
from scheduler.plan where id = $1;

-- name: list_plans
-- Plans, those that open last first, after a cursor, each narrowed where it is given. How a plan stands is what
-- `scheduler.plan.standing` tells.
select id, policy, version, survey, period, term, starts, ends, draw_from, ready_by, opens_at, promised_by, seed,
    drawn_at, required, covered, active, approver, approved_at, approved_by, note, begins_at, opened_at, settled_at,
    reached, covered_after
from (
    select p.*, case
            when coalesce(approved_at, case when approver is null then drawn_at else $1 end)
                > coalesce(ready_by, promised_by) then 'late'
            when approver is null or approved_at is not null then 'ready'
            else 'to approve'
        end as standing
    from scheduler.plan p) p
where ($2::text is null or policy = $2) and ($3::text is null or survey = $3) and ($4::text is null or standing = $4)
    and ($5::timestamptz is null or opens_at >= $5) and ($6::timestamptz is null or opens_at < $6)
    and ($7::timestamptz is null or (opens_at, id) < ($7, $8::uuid))
order by opens_at desc, id desc limit $9;

-- name: find_open_plans
-- Plans that are not settled, as far as it matters how they stand.
select survey, period, term, starts, ends, draw_from, ready_by, opens_at, promised_by, drawn_at, approver, approved_at
from scheduler.plan where settled_at is null;

-- name: save_approval
-- Who approved a plan, when and with which words, and from when it is carried out.
update scheduler.plan set approved_at = $2, approved_by = $3, note = $4, begins_at = $5, promised_by = $6 where id = $1;

-- name: find_units
-- Every unit of a plan, in the order of their numbers.
select number, customer, project, organisation, stratum, active, people, draw, chosen, cause, weight, lost_at
from scheduler.plan_unit where plan = $1 order by number;

-- name: list_units
-- A page of a plan's units, after a number.
select number, customer, project, organisation, stratum, active, cardinality(people) as people, draw, chosen, cause,
    weight, ticket, asked_at, lost_at, replaced_by
from scheduler.plan_unit
where plan = $1 and number > $2 and ($3::boolean is null or chosen = $3)
order by number limit $4;

-- name: save_draws
-- Units whose draw counts otherwise than before.
update scheduler.plan_unit u set chosen = new.chosen, cause = new.cause, weight = new.weight
from unnest($2::integer[], $3::boolean[], $4::text[], $5::float8[]) as new(number, chosen, cause, weight)
where u.plan = $1 and u.number = new.number;

-- name: save_lost
-- Units that were lost, and who took their places.
update scheduler.plan_unit u set lost_at = $2, replaced_by = new.replaced_by
from unnest($3::integer[], $4::integer[]) as new(number, replaced_by)
where u.plan = $1 and u.number = new.number;

-- name: count_strata
-- How many units a plan's strata have, and how many of them were chosen; without those that cannot be reached.
select stratum, count(*) as population, count(*) filter (where chosen) as chosen
from scheduler.plan_unit where plan = $1 and cardinality(people) > 0
group by stratum order by stratum;

-- name: count_progress
-- How far plans have come, in units.
select u.plan, count(*) filter (where people <> '{}') as population, count(*) filter (where people = '{}') as unreachable,
    count(*) filter (where chosen) as chosen, count(*) filter (where asked_at is not null) as asked,
    count(*) filter (where lost_at is not null) as lost, count(*) filter (where s.reached) as reached,
    count(*) filter (where s.answered) as answered
from scheduler.plan_unit u left join lateral (
    select bool_or(contacted_at is not null) as reached, bool_or(state = 'answered') as answered
    from scheduler.survey s where s.source = 'plan' and s.ticket = u.ticket) s on u.asked_at is not null
where u.plan = any($1::uuid[])
group by u.plan;

-- name: settle_plans
-- Closes the books on plans whose promise has passed for `$2`: whom did they reach? Those that wait for their turn have
-- it first.
update scheduler.plan p set settled_at = $1, reached = r.reached,
    covered_after = case when p.required is not null then r.active end
from scheduler.plan q, lateral (
    select count(distinct u.customer) as reached, count(distinct u.customer) filter (where u.active) as active
    from scheduler.plan_unit u join scheduler.survey s on s.source = 'plan' and s.ticket = u.ticket
    where u.plan = q.id and s.contacted_at is not null) r
where p.id = q.id and p.settled_at is null and q.settled_at is null and q.promised_by <= $1::timestamptz - $2::interval and not exists (
    select from scheduler.plan_unit u
    where u.plan = q.id and u.chosen and u.asked_at is null and q.begins_at is not null)
returning p.policy, p.survey, p.term, p.reached, p.covered_after, p.required;

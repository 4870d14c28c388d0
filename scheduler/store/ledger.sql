-- name: find_closures
-- Every closure of the tickets.
select c.source, c.ticket, c.closure, c.kind, c.closed_at, c.reopened_at, c.facts, c.contact, c.turn, c.outcome, c.reason,
    c.rule, c.draw, c.policy, c.version, c.actor, c.note, c.decided_at
from (select distinct source, ticket from unnest($1::text[] collate "C", $2::text[] collate "C") as t(source, ticket)) t
join scheduler.closure c on c.source = t.source and c.ticket = t.ticket
order by c.source, c.ticket, c.closure;

-- name: insert_closures
-- New closures with their decisions; one that is known already returns no row.
insert into scheduler.closure (source, ticket, closure, kind, closed_at, reopened_at, facts, contact, turn, outcome,
    reason, rule, draw, policy, version, actor, note, decided_at)
select source, ticket, closure, kind, closed_at, reopened_at, facts::json, contact::json, turn, outcome, reason, rule,
    draw, policy, version, actor, note, decided_at
from unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::text[],
    $8::text[], $9::smallint[], $10::text[], $11::text[], $12::text[], $13::float8[], $14::text[], $15::integer[],
    $16::text[], $17::text[], $18::timestamptz[])
as new(source, ticket, closure, kind, closed_at, reopened_at, facts, contact, turn, outcome, reason, rule, draw, policy,
    version, actor, note, decided_at)
on conflict do nothing
returning 1;

-- name: update_closures
-- Closures that were told again, or decided anew.
update scheduler.closure c
set closed_at = new.closed_at, facts = new.facts::json, contact = new.contact::json, turn = new.turn,
    outcome = new.outcome, reason = new.reason, rule = new.rule, draw = new.draw, policy = new.policy,
    version = new.version, actor = new.actor, note = new.note, decided_at = new.decided_at
from unnest($1::text[] collate "C", $2::text[] collate "C", $3::integer[], $4::timestamptz[], $5::text[], $6::text[],
    $7::smallint[], $8::text[], $9::text[], $10::text[], $11::float8[], $12::text[], $13::integer[], $14::text[],
    $15::text[], $16::timestamptz[])
as new(source, ticket, closure, closed_at, facts, contact, turn, outcome, reason, rule, draw, policy, version, actor,
    note, decided_at)
where c.source = new.source and c.ticket = new.ticket and c.closure = new.closure;

-- name: insert_former_decisions
-- Decisions that a later one replaces.
insert into scheduler.former_decision (source, ticket, closure, turn, outcome, reason, rule, draw, policy, version,
    actor, note, decided_at)
select * from unnest($1::text[], $2::text[], $3::integer[], $4::smallint[], $5::text[], $6::text[], $7::text[],
    $8::float8[], $9::text[], $10::integer[], $11::text[], $12::text[], $13::timestamptz[])
on conflict do nothing;

-- name: list_former_decisions
-- The replaced decisions on a ticket's closures, oldest first.
select closure, turn, outcome, reason, rule, draw, policy, version, actor, note, decided_at
from scheduler.former_decision where source = $1 and ticket = $2
order by closure, turn;

-- name: upsert_reopenings
-- Notes the earliest known reopening of closures, also of those whose closing is still to be heard of.
insert into scheduler.closure as c (source, ticket, closure, reopened_at)
select * from unnest($1::text[], $2::text[], $3::integer[], $4::timestamptz[])
on conflict (source, ticket, closure) do update set reopened_at = excluded.reopened_at
where c.reopened_at is null or c.reopened_at > excluded.reopened_at;

-- name: insert_people
-- People of whom nothing was known.
insert into scheduler.person (person)
select person from unnest($1::uuid[]) as new(person) order by person
on conflict do nothing;

-- name: lock_people
-- Keeps other workers from planning for the same people until the commit, always in the same order.
select person, opted_out_at from scheduler.person where person = any($1::uuid[]) order by person for update;

-- name: find_opted_out
-- Those who want never to be asked.
select person from scheduler.person where person = any($1::uuid[]) and opted_out_at is not null;

-- name: find_asked
-- When people were asked, or are to be, since a time; surveys that ended before anything was said do not count.
select person, source, ticket, closure, asked_at from scheduler.survey
where person = any($1::uuid[]) and asked_at > $2 and limited;

-- name: find_told
-- How often each survey's person was asked by another survey, in the time up to now.
select s.id, count(*) as times
from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as s(id, person, since)
join scheduler.survey other on other.person = s.person and other.id <> s.id
where other.asked_at > s.since and other.asked_at <= $4 and other.limited and other.state <> 'planned'
group by s.id;

-- name: upsert_opt_outs
-- Notes that people want never to be asked.
insert into scheduler.person as p (person, opted_out_at)
select person, opted_out_at from unnest($1::uuid[], $2::timestamptz[]) as new(person, opted_out_at) order by person
on conflict (person) do update set opted_out_at = least(p.opted_out_at, excluded.opted_out_at);

-- name: insert_surveys
-- New surveys; a closure that is surveyed under that name already is left alone.
insert into scheduler.survey (id, source, ticket, closure, name, policy, version, person, state, planned_at,
    promised_by, expires_at, asked_at, ended_at, steps, reported, next_step, next_at, limited, items, owner,
    respondent)
select id, source, ticket, closure, name, policy, version, person, state, $1, promised_by, expires_at, asked_at,
    ended_at, array_fill(null::text, array[places]), array_fill(null::timestamptz, array[places]), next_step, next_at,
    limited, items::text[], owner, respondent::json
from unnest($2::uuid[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::text[], $8::integer[], $9::uuid[],
    $10::text[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::integer[],
    $16::smallint[], $17::timestamptz[], $18::boolean[], $19::text[], $20::text[], $21::text[])
as new(id, source, ticket, closure, name, policy, version, person, state, promised_by, expires_at, asked_at, ended_at,
    places, next_step, next_at, limited, items, owner, respondent)
on conflict do nothing;

-- name: find_surveys_of_closures
-- The surveys of closures.
select s.id from unnest($1::text[] collate "C", $2::text[] collate "C", $3::integer[]) as k(source, ticket, closure)
join scheduler.survey s on s.source = k.source and s.ticket = k.ticket and s.closure = k.closure;

-- name: find_open_surveys_of_people
-- The surveys of people that are not over.
select id from scheduler.survey where person = any($1::uuid[]) and asked_at is not null and ended_at is null;

-- name: lock_surveys
-- Surveys with what they are about, kept from other workers until the commit.
select s.id, s.source, s.ticket, s.closure, s.name, s.policy, s.version, s.person, s.state, s.promised_by,
    s.expires_at, s.asked_at, s.contacted_at, s.ended_at, s.steps, s.reported, s.next_step, s.next_at, s.items, s.owner,
    s.respondent, c.kind, c.closed_at, c.facts, c.contact
from scheduler.survey s join scheduler.closure c using (source, ticket, closure)
where s.id = any($1::uuid[])
order by s.id
for update of s;

-- name: save_surveys
-- Surveys as they have become. The wait for an echo begins with the first step of which nothing is heard.
update scheduler.survey s
set state = new.state, promised_by = new.promised_by, expires_at = new.expires_at, asked_at = new.asked_at,
    contacted_at = new.contacted_at, ended_at = new.ended_at, steps = new.steps::text[],
    reported = new.reported::timestamptz[], next_step = new.next_step, next_at = new.next_at,
    echo_since = case when new.waits then coalesce(s.echo_since, clock_timestamp()) end
from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
    $7::timestamptz[], $8::text[], $9::text[], $10::smallint[], $11::timestamptz[], $12::boolean[])
as new(id, state, promised_by, expires_at, asked_at, contacted_at, ended_at, steps, reported, next_step, next_at,
    waits)
where s.id = new.id;

-- name: insert_dues
-- Queues what comes next.
insert into scheduler.due (due_at, survey, step)
select * from unnest($1::timestamptz[], $2::uuid[], $3::smallint[])
on conflict do nothing;

-- name: claim_dues
-- Takes what is due out of the queue, the oldest first, past what another worker is taking.
delete from scheduler.due
where ctid = any(array(
    select ctid from scheduler.due where due_at <= $1 order by due_at limit $2 for update skip locked))
returning survey, step;

-- name: claim_silent
-- Surveys of which a step was said and nothing heard for `$1`; the wait begins anew.
update scheduler.survey set echo_since = clock_timestamp()
where id = any(array(
    select id from scheduler.survey where echo_since < clock_timestamp() - $1::interval
    order by echo_since limit $2 for update skip locked))
returning id;

-- name: count_promises
-- Surveys without contact whose promise ends within eight hours, and those whose promise is broken.
select count(*) filter (where promised_by > $1) as at_risk, count(*) filter (where promised_by <= $1) as overdue
from scheduler.survey where state in ('planned', 'due') and promised_by <= $1 + interval '8 hours';

-- name: list_surveys_of_ticket
-- The surveys of a ticket.
select id, source, ticket, closure, name, policy, version, state, planned_at, promised_by, expires_at, contacted_at,
    ended_at, steps, next_step, next_at
from scheduler.survey where source = $1 and ticket = $2
order by closure, id;

-- name: list_moves_of_ticket
-- The moves of a ticket's surveys, in the order in which they happened.
select m.survey, m.at, m.from_state, m.to_state, m.cause, m.actor, m.note
from scheduler.survey s join scheduler.survey_move m on m.survey = s.id
where s.source = $1 and s.ticket = $2
order by m.position;

-- name: list_surveys
-- Surveys, the latest first, after a cursor, of a state, and planned within a time, each where it is given.
select id, source, ticket, closure, name, policy, version, state, planned_at, promised_by, expires_at, contacted_at,
    ended_at, steps, next_step, next_at
from scheduler.survey
where ($1::uuid is null or id < $1) and ($2::text is null or state = $2)
    and ($3::timestamptz is null or planned_at >= $3) and ($4::timestamptz is null or planned_at < $4)
order by id desc limit $5;

-- name: find_survey
-- One survey.
select id, source, ticket, closure, name, policy, version, state, planned_at, promised_by, expires_at, contacted_at,
    ended_at, steps, next_step, next_at
from scheduler.survey where id = $1;

-- name: list_moves
-- The moves of a survey, in the order in which they happened.
select survey, at, from_state, to_state, cause, actor, note from scheduler.survey_move
where survey = $1 order by position;

-- name: insert_policies
-- Copies of approved policies; a version is kept as it was first heard.
insert into notifier.policy (policy, version, effective_from, document)
select * from unnest($1::text[], $2::integer[], $3::timestamptz[], $4::text[])
on conflict do nothing;

-- name: insert_issuers
-- In whose name each survey of a policy version goes out.
insert into notifier.issuer (policy, version, name, issuer)
select * from unnest($1::text[], $2::integer[], $3::text[], $4::text[])
on conflict do nothing;

-- name: find_policies
-- The documents of policy versions.
select p.policy, p.version, p.document
from unnest($1::text[], $2::integer[]) as asked(policy, version)
join notifier.policy p using (policy, version);

-- name: insert_deliveries
-- Plans deliveries; what is planned already returns no row.
insert into notifier.delivery (
    id, survey, step, channel, kind, name, policy, version, questionnaire, items, ticket, person, sealed, locale,
    timezone, due_at, expires_at, state, moved_at, next_at)
select id, survey, step, channel, kind, name, policy, version, questionnaire, string_to_array(items, ' '), ticket,
    person, sealed, locale, timezone, due_at, expires_at, 'planned', $18, due_at
from unnest(
    $1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[], $9::text[],
    $10::text[], $11::text[], $12::uuid[], $13::bytea[], $14::text[], $15::text[], $16::timestamptz[],
    $17::timestamptz[])
as planned(id, survey, step, channel, kind, name, policy, version, questionnaire, items, ticket, person, sealed,
    locale, timezone, due_at, expires_at)
on conflict do nothing
returning survey, step, channel;

-- name: find_reportable
-- Deliveries that have an outcome, of steps that were heard again.
select d.survey, d.step, d.channel, d.provider, d.state, d.detail, d.moved_at
from unnest($1::uuid[], $2::integer[], $3::text[]) as heard(survey, step, channel)
join notifier.delivery d using (survey, step, channel)
where d.state in ('accepted', 'delivered', 'failed', 'bounced', 'uncertain', 'suppressed');

-- name: insert_opt_out_links
-- The hashes of the links by which a customer declines.
insert into notifier.opt_out_link (token_hash, survey, person, locale, policy, version)
select * from unnest($1::bytea[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::integer[])
on conflict do nothing;

-- name: insert_survey_ends
-- Surveys that are over; the first word on each stays.
insert into notifier.survey_end (survey, state, ended_at)
select * from unnest($1::uuid[], $2::text[], $3::timestamptz[])
on conflict do nothing;

-- name: suppress_planned
-- Ends what is still planned of surveys that are over.
update notifier.delivery d
set state = 'suppressed', detail = 'survey ' || e.state, moved_at = $2, next_at = null
from notifier.survey_end e
where d.survey = any($1::uuid[]) and e.survey = d.survey and d.state = 'planned'
returning d.survey, d.step, d.channel, d.provider, d.state, d.detail, d.moved_at;

-- name: claim_deliveries
-- Takes due deliveries of a channel for `$4` seconds, as many as `$3`, passing by those that another worker holds.
with due as (
    select d.id
    from notifier.delivery d
    where d.state = 'planned' and d.next_at <= $1 and d.channel = $2
        and (d.expires_at <= $1
            or exists (select from notifier.policy p where p.policy = d.policy and p.version = d.version))
    order by d.next_at
    limit $3
    for update of d skip locked)
update notifier.delivery d
set state = 'claimed', next_at = null, fence = d.fence + 1, moved_at = $1,
    lease_until = clock_timestamp() + make_interval(secs => $4)
from due
where d.id = due.id
returning d.id, d.survey, d.step, d.channel, d.kind, d.name, d.policy, d.version, d.questionnaire, d.items, d.ticket,
    d.person, d.sealed, d.locale, d.timezone, d.expires_at, d.fence, d.attempts,
    (select e.state from notifier.survey_end e where e.survey = d.survey) as ended,
    exists (select from notifier.opt_out o
        where o.person = d.person and (o.scope = 'all' or o.survey = d.survey)) as opted_out;

-- name: find_dead_addresses
-- Which of these keyed hashes of addresses were refused for good.
select address from notifier.dead_address where address = any($1::uuid[]);

-- name: insert_dead_addresses
-- Addresses that were refused for good.
insert into notifier.dead_address (address, detail, since)
select address, detail, $3 from unnest($1::uuid[], $2::text[]) as refused(address, detail)
on conflict do nothing;

-- name: release_deliveries
-- Ends or puts back what was claimed and must not be sent now.
update notifier.delivery d
set state = told.state, detail = told.detail, next_at = told.next_at, moved_at = $5, lease_until = null
from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) as told(id, state, detail, next_at)
where d.id = told.id and d.state = 'claimed'
returning d.survey, d.step, d.channel, d.provider, d.state, d.detail, d.moved_at;

-- name: begin_attempts
-- Records attempts before any socket opens: the claimed deliveries are being sent from here on.
with begun as (
    update notifier.delivery d
    set state = 'sending', attempts = d.attempts + 1, provider = told.provider, message_id = told.message_id,
        moved_at = $4
    from unnest($1::uuid[], $2::text[], $3::text[]) as told(id, provider, message_id)
    where d.id = told.id and d.state = 'claimed'
    returning d.id, d.fence, d.provider)
insert into notifier.attempt (delivery, fence, provider, started_at)
select id, fence, provider, $4 from begun;

-- name: settle_attempts
-- Records how attempts ended, where the fence is still theirs; a state that a receipt has reached meanwhile stays.
with told as (
    select * from unnest(
        $1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::timestamptz[])
    as told(id, fence, ending, state, detail, next_at, reference, ask_at)),
held as materialized (
    select d.id, d.state as was
    from notifier.delivery d join told on told.id = d.id and told.fence = d.fence
    for update of d),
ended as (
    update notifier.attempt a
    set ended_at = $9, ending = told.ending, detail = told.detail
    from told join held on held.id = told.id
    where a.delivery = told.id and a.fence = told.fence and a.ending is null)
update notifier.delivery d
set state = case when held.was = 'sending' then told.state else d.state end,
    detail = case when held.was = 'sending' then told.detail else d.detail end,
    next_at = case when held.was = 'sending' then told.next_at else d.next_at end,
    ask_at = case when held.was = 'sending' then told.ask_at else d.ask_at end,
    moved_at = case when held.was = 'sending' then $9 else d.moved_at end,
    attempts = d.attempts - (held.was = 'sending' and told.ending = 'unstarted')::integer,
    reference = coalesce(told.reference, d.reference),
    lease_until = null
from told join held on held.id = told.id
where d.id = told.id
returning d.id, d.survey, d.step, d.channel, d.provider, d.state, d.detail, d.moved_at, held.was = 'sending' as moved;

-- name: expire_leases
-- What was being sent by a worker that is gone or frozen: the message may have left, so it is uncertain from now on.
with gone as (
    select d.id, d.fence from notifier.delivery d
    where d.state = 'sending' and d.lease_until < clock_timestamp()
    order by d.lease_until
    limit $2
    for update of d skip locked),
ended as (
    update notifier.attempt a
    set ended_at = $1, ending = 'uncertain', detail = 'lease ran out'
    from gone
    where a.delivery = gone.id and a.fence = gone.fence and a.ending is null)
update notifier.delivery d
set state = 'uncertain', detail = 'lease ran out', fence = d.fence + 1, lease_until = null, moved_at = $1,
    ask_at = case when d.channel = 'sms' then $1 end
from gone
where d.id = gone.id
returning d.survey, d.step, d.channel, d.provider, d.state, d.detail, d.moved_at;

-- name: close_uncertain
-- Flags what stayed uncertain since `$1` or longer: nothing more is expected to be heard of it.
update notifier.delivery
set unresolved = true, ask_at = null
where id in (
    select id from notifier.delivery
    where state = 'uncertain' and not unresolved and moved_at <= $1
    order by moved_at
    limit $2
    for update skip locked)
returning id;

-- name: claim_questions
-- Uncertain deliveries about which a provider is to be asked now; each claim is the last until `$3`.
update notifier.delivery
set ask_at = $3
where id in (
    select id from notifier.delivery
    where ask_at <= $1 and provider = $4
    order by ask_at
    limit $2
    for update skip locked)
returning id;

-- name: lock_deliveries
-- Deliveries that a provider may tell about by our own reference.
select id, state, reference from notifier.delivery
where provider = $1 and id = any($2::uuid[]) and attempts > 0 order by id for update;

-- name: lock_by_reference
-- Deliveries that a provider tells about by his reference.
select id, state, reference from notifier.delivery
where provider = $1 and reference = any($2::text[]) and attempts > 0 order by id for update;

-- name: move_deliveries
-- Brings deliveries to the states that receipts or answers told.
update notifier.delivery d
set state = told.state, detail = told.detail, moved_at = $5, next_at = told.next_at, lease_until = null, ask_at = null,
    unresolved = false
from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) as told(id, state, detail, next_at)
where d.id = told.id
returning d.survey, d.step, d.channel, d.provider, d.state, d.detail, d.moved_at;

-- name: insert_receipts
-- Keeps receipts that no delivery is known for yet.
insert into notifier.receipt (provider, reference, state, detail)
select $1, reference, state, detail from unnest($2::text[], $3::text[], $4::text[]) as told(reference, state, detail)
on conflict do nothing;

-- name: find_receipts
-- Receipts that came before the provider's answer.
select provider, reference, state, detail from notifier.receipt
where (provider, reference) in (select * from unnest($1::text[], $2::text[]));

-- name: forget_receipts
-- Drops receipts of things that never were ours.
delete from notifier.receipt where heard_at < clock_timestamp() - interval '7 days';

-- name: find_opt_out_link
-- What stands behind a link's hash, and what its owner has decided already.
select l.survey, l.person, l.locale, p.document,
    exists (select from notifier.opt_out o where o.person = l.person and o.scope = 'all') as for_good,
    exists (select from notifier.opt_out o where o.person = l.person and o.scope = 'survey' and o.survey = l.survey)
        as once
from notifier.opt_out_link l
left join notifier.policy p using (policy, version)
where l.token_hash = $1;

-- name: insert_opt_out
-- A refusal; no row where it was said before.
insert into notifier.opt_out (person, scope, survey, opted_out_at) values ($1, $2, $3, $4)
on conflict do nothing
returning person;

-- name: list_deliveries
-- A page of the delivery log, newest first.
select id, survey, step, kind, channel, provider, policy, version, questionnaire, person, state, detail, due_at, moved_at,
    next_at, expires_at, attempts, message_id, reference, unresolved
from notifier.delivery
where ($1::uuid is null or survey = $1) and ($2::uuid is null or person = $2) and ($3::text is null or state = $3)
    and ($4::text is null or channel = $4) and ($5::uuid is null or id < $5)
order by id desc
limit $6;

-- name: list_attempts
-- Every attempt of a delivery, in order.
select provider, started_at, ended_at, ending, detail from notifier.attempt where delivery = $1 order by fence;

-- name: insert_calls
-- Puts steps on the list of calls and visits; what stands there already returns no row.
insert into notifier.call (
    id, survey, step, channel, name, policy, version, questionnaire, items, source, ticket, closed_at, customer, project,
    owner, person, sealed, locale, timezone, due_at, promised_by, expires_at, listed_at, next_at)
select id, survey, step, channel, name, policy, version, questionnaire, string_to_array(items, ' '), source, ticket,
    closed_at, customer, project, owner, person, sealed, locale, timezone, due_at, promised_by, expires_at, $23, due_at
from unnest(
    $1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::timestamptz[], $13::text[], $14::text[], $15::text[], $16::uuid[], $17::bytea[],
    $18::text[], $19::text[], $20::timestamptz[], $21::timestamptz[], $22::timestamptz[])
as listed(id, survey, step, channel, name, policy, version, questionnaire, items, source, ticket, closed_at, customer,
    project, owner, person, sealed, locale, timezone, due_at, promised_by, expires_at)
on conflict do nothing;

-- name: find_calls
-- The calls and visits of steps that were heard.
select c.survey, c.step, c.channel, c.outcome, c.listed_at
from unnest($1::uuid[], $2::integer[], $3::text[]) as heard(survey, step, channel)
join notifier.call c using (survey, step, channel);

-- name: list_calls
-- A page of the list, by the promise's deadline: what is open, may be done now, and whose survey still runs.
select c.id, c.channel as kind, coalesce(i.issuer, 'service desk') as issuer, c.owner, c.survey, c.name, c.questionnaire,
    c.items, c.source, c.ticket, c.closed_at, c.customer, c.project, c.locale, c.timezone, c.due_at, c.promised_by,
    c.expires_at, c.next_at, c.attempts,
    case when c.claimed_until > clock_timestamp() then c.claimed_by end as claimed_by
from notifier.call c
left join notifier.issuer i on i.policy = c.policy and i.version = c.version and i.name = c.name
where c.outcome is null and c.expires_at > $1
    and not exists (select from notifier.survey_end e where e.survey = c.survey)
    and not exists (select from notifier.opt_out o
        where o.person = c.person and (o.scope = 'all' or o.survey = c.survey))
    and ($2::timestamptz is null or (c.promised_by, c.id) > ($2, $3))
    and ($4::text is null or c.channel = $4)
    and ($5::text is null or coalesce(i.issuer, 'service desk') = $5)
    and ($6::text is null or c.owner = $6)
order by c.promised_by, c.id
limit $7;

-- name: find_call
-- Whether it is a call or a visit, and in whose name it is due.
select c.channel as kind, coalesce(i.issuer, 'service desk') as issuer
from notifier.call c
left join notifier.issuer i on i.policy = c.policy and i.version = c.version and i.name = c.name
where c.id = $1;

-- name: claim_call
-- Takes a call or visit for `$4` seconds; no row where another has it or there is nothing more to do.
update notifier.call c
set claimed_by = $2, claimed_until = clock_timestamp() + make_interval(secs => $4)
where c.id = $1 and c.outcome is null and c.expires_at > $3
    and (c.claimed_by is null or c.claimed_by = $2 or c.claimed_until < clock_timestamp())
    and not exists (select from notifier.survey_end e where e.survey = c.survey)
    and not exists (select from notifier.opt_out o
        where o.person = c.person and (o.scope = 'all' or o.survey = c.survey))
returning c.id, c.channel as kind, c.survey, c.step, c.name, c.policy, c.version, c.questionnaire, c.items, c.source,
    c.ticket, c.closed_at, c.customer, c.project, c.person, c.sealed, c.locale, c.timezone, c.promised_by, c.expires_at,
    c.attempts, c.claimed_until;

-- name: attempt_call
-- Records what came of a call and gives the claim back; no row where the agent does not hold it.
with attempted as (
    update notifier.call c
    set attempts = c.attempts + 1, outcome = case when c.attempts + 1 >= $7 then $4::text else $5::text end,
        next_at = $6,
        claimed_by = null, claimed_until = null
    where c.id = $1 and c.claimed_by = $2 and c.claimed_until > clock_timestamp() and c.outcome is null
    returning c.id, c.survey, c.step, c.channel, c.person, c.attempts, c.outcome),
kept as (
    insert into notifier.call_attempt (call, number, agent, at, outcome)
    select id, attempts, $2, $8, $3::text from attempted)
select survey, step, channel, person, attempts, outcome from attempted;

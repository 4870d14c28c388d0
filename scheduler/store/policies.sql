-- name: lock_policy
-- Keeps other workers from giving numbers to versions of a policy until the commit.
select pg_advisory_xact_lock(hashtextextended('scheduler.policy_version ' || $1, 0));

-- name: insert_policy_version
-- The next version of a policy, in force from its time on, where it replaces one from now on at the earliest; no row
-- where the latest one that was installed has the same file.
insert into scheduler.policy_version (policy, version, title, document, text, checksum, effective_from, installed_at)
select $1, coalesce(max(version), 0) + 1, $2::json, $3, $4, $5,
    case when bool_or(effective_from <= $7) then greatest($6, $7) else $6 end, $7
from scheduler.policy_version where policy = $1
having coalesce((array_agg(checksum order by version desc) filter (where cause = 'installed'))[1] <> $5, true)
on conflict do nothing
returning version;

-- name: insert_proposal
-- The next version of a policy, without effect until it is approved.
insert into scheduler.policy_version (policy, version, title, document, text, checksum, effective_from, wished_from,
    installed_at, state, cause)
select $1, coalesce(max(version), 0) + 1, $2::json, $3, $4, $5, 'infinity', $6, $7, 'proposed', $8
from scheduler.policy_version where policy = $1
returning version;

-- name: find_equal_version
-- The version of a policy with the same file that is in force, is to come, or is on its way.
select version from scheduler.policy_version
where policy = $1 and checksum = $2 and (
    state in ('proposed', 'reviewed')
    or state = 'approved' and (effective_from > $3 or version = (
        select version from scheduler.policy_version
        where policy = $1 and state = 'approved' and effective_from <= $3
        order by effective_from desc, version desc limit 1)))
order by version desc limit 1;

-- name: find_policies_in_force
-- The approved version of each policy that took effect last, in the order of their names.
select distinct on (policy) policy, version, effective_from, document
from scheduler.policy_version where state = 'approved' and effective_from <= $1
order by policy, effective_from desc, version desc;

-- name: find_policies
-- The documents of policy versions.
select p.policy, p.version, p.document
from unnest($1::text[] collate "C", $2::integer[]) as asked(policy, version)
join scheduler.policy_version p using (policy, version);

-- name: list_policies
-- Every version of every policy, without its text, newest last.
select policy, version, title, state, case when state = 'approved' then effective_from else wished_from end
    as effective_from, installed_at as proposed_at
from scheduler.policy_version
order by policy, version;

-- name: find_policy_version
-- One version whole.
select policy, version, title, document, text, checksum, state,
    case when state = 'approved' then effective_from else wished_from end as effective_from,
    installed_at as proposed_at
from scheduler.policy_version where policy = $1 and version = $2;

-- name: find_former_version
-- The last approved version before one.
select max(version) from scheduler.policy_version where policy = $1 and version < $2 and state = 'approved';

-- name: lock_policy_version
-- Keeps other workers off a version until the commit.
select from scheduler.policy_version where policy = $1 and version = $2 for update;

-- name: save_policy_version
-- How far a version has come; only one that is approved has a time from which it counts.
update scheduler.policy_version
set state = $3, effective_from = case when $3 = 'approved' then $4 else 'infinity'::timestamptz end
where policy = $1 and version = $2;

-- name: insert_policy_steps
-- Steps of a version.
insert into scheduler.policy_step (policy, version, position, step, at, actor, note, cause)
select $1, $2, position, step, at, actor, note, cause
from unnest($3::smallint[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::text[])
as new(position, step, at, actor, note, cause);

-- name: list_policy_steps
-- The steps of a version, in their order.
select step, at, actor, note, cause from scheduler.policy_step
where policy = $1 and version = $2
order by position;

-- name: insert_policy_version
-- The next version of a policy; no row where the latest one has the same file, or another process was faster.
insert into scheduler.policy_version (policy, version, title, document, text, checksum, effective_from, installed_at)
select $1, coalesce(max(version), 0) + 1, $2::json, $3, $4, $5, $6, $7
from scheduler.policy_version where policy = $1
having coalesce((array_agg(checksum order by version desc))[1] <> $5, true)
on conflict do nothing
returning version;

-- name: find_policies_in_force
-- The latest version of each policy that has taken effect, in the order of their names.
select distinct on (policy) policy, version, effective_from, document
from scheduler.policy_version where effective_from <= $1
order by policy, version desc;

-- name: find_policies
-- The documents of policy versions.
select p.policy, p.version, p.document
from unnest($1::text[] collate "C", $2::integer[]) as asked(policy, version)
join scheduler.policy_version p using (policy, version);

-- name: list_policies
-- Every version of every policy, without its text, newest last.
select policy, version, title, effective_from, installed_at from scheduler.policy_version
order by policy, version;

-- name: find_policy_version
-- One version whole.
select policy, version, title, document, text, checksum, effective_from, installed_at
from scheduler.policy_version where policy = $1 and version = $2;

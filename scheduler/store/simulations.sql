-- name: find_past
-- Tickets and occasions within a time, in their order; an occasion that several people are asked about stands there
-- once. Null does not narrow.
select source, ticket, closure, kind, closed_at, reopened_at, facts, contact from scheduler.closure
where closed_at is not null and kind not in ('calendar', 'again') and (kind = 'ticket closed' or closure = 1)
    and ($1::timestamptz is null or closed_at >= $1) and ($2::timestamptz is null or closed_at < $2)
order by closed_at, source, ticket, closure limit $3;

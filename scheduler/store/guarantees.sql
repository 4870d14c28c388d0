-- name: count_cases
-- The cases of a rule in a time that lasted, counted by what is known of their surveys. To be asked again is no case.
select s.state, s.steps, count(*)::integer as cases
from scheduler.closure c
left join scheduler.survey s on s.source = c.source and s.ticket = c.ticket and s.closure = c.closure and s.name = $2
where c.rule = $1 and c.closed_at >= $3 and c.closed_at < $4 and c.reopened_at is null
    and c.kind <> 'again'
group by s.state, s.steps;

-- name: find_unasked
-- Cases of a rule in a time that were not drawn, the lowest draws first.
select source, ticket, closure from scheduler.closure
where rule = $1 and closed_at >= $2 and closed_at < $3 and reopened_at is null and reason = 'not_sampled'
order by draw, source, ticket, closure limit $4;

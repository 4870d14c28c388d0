-- name: list_queue
-- What comes up, in its order behind a place, and whether something was said already of its survey, which is open.
select d.due_at, d.survey, d.step, s.state in ('due', 'sent') as is_told
from scheduler.due d join scheduler.survey s on s.id = d.survey
where (d.due_at, d.survey, d.step) > ($1, $2, $3)
order by d.due_at, d.survey, d.step
limit $4;

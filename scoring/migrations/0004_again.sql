-- Who is asked again because of an answer is counted apart from those who were asked for the first time.

alter table scoring.page add column again integer not null default 0 check (again >= 0);

"""`huifang policy simulate`: a policy tried on past tickets and a register, before anybody approves it.

`past` reads what happened, `world` and `rounds` play it through the scheduler's own rules, `conduct` stands for
everybody outside; `trial` is all of it as one thing. `tally` and `plan_tally` count, `remarks` and `outcome` tell what
came of it; `summary`, `poster` with `chart`, and `recount` show it to people, as a page, and to other tools.
"""

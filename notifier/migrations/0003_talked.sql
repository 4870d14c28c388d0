-- A call or visit may end with a talk: the customer was reached, whether or not his answers were taken down with it.

alter table notifier.call
    drop constraint call_outcome_check,
    add constraint call_outcome_check check (outcome in ('talked', 'refused', 'wrong_number', 'no_answer'));
alter table notifier.call_attempt
    drop constraint call_attempt_outcome_check,
    add constraint call_attempt_outcome_check
        check (outcome in ('talked', 'no_answer', 'busy', 'refused', 'wrong_number', 'call_back'));

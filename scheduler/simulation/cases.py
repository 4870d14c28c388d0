"""The cases of rules with a guarantee, kept counted by what is known of them, as the ledger's statements count them."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from heapq import nsmallest

from scheduler.closure import Closure, Key
from scheduler.dossier import Dossier
from scheduler.guarantee import Group
from scheduler.plan import Term, term_of
from scheduler.policy import AGAIN, CALENDAR, Rule
from scheduler.survey import State, StepState

Known = tuple[State | None, tuple[StepState | None, ...]]
Place = tuple[str, str]
"""A rule's title and a period's name."""


class Cases:
    """Every case that lasted, by rule and period; and of those that were not drawn, their draws."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = {rule.title: rule for rule in rules if rule.survey.guarantee is not None and rule.survey.on}
        self._groups: defaultdict[Place, Counter[Known]] = defaultdict(Counter)
        self._unasked: defaultdict[Place, dict[Key, tuple[float, datetime]]] = defaultdict(dict)
        self._known: dict[Key, tuple[Place, Known]] = {}

    def note(self, closure: Closure, dossier: Dossier | None) -> None:
        """Counts a case as it stands now."""
        closing, verdict = closure.closing, closure.verdict
        rule = self._rules.get(verdict.rule or "") if verdict is not None else None
        if rule is None or verdict is None or closing is None or closing.on in (AGAIN, CALENDAR):
            return
        place = rule.title, self._term(rule, closing.closed_at).key
        self._forget(closure.key)
        if closure.reopened_at is not None:
            return
        known: Known = (dossier.survey.state, dossier.survey.steps) if dossier is not None else (None, ())
        self._known[closure.key] = place, known
        self._groups[place][known] += 1
        if verdict.reason == "not_sampled":
            self._unasked[place][closure.key] = verdict.draw or 0.0, closing.closed_at

    def _forget(self, key: Key) -> None:
        before = self._known.pop(key, None)
        if before is not None:
            place, known = before
            self._groups[place][known] -= 1
            self._unasked[place].pop(key, None)

    def _term(self, rule: Rule, at: datetime) -> Term:
        guarantee = rule.survey.guarantee
        if guarantee is None:
            raise ValueError(f"{rule.title} guarantees nothing")
        return term_of(guarantee.every, at.astimezone(rule.almanac.zone).date())

    def groups(self, rule: Rule, term: Term) -> Iterator[Group]:
        """The cases of a rule within a period, those of which the same is known together."""
        for (state, steps), cases in self._groups[rule.title, term.key].items():
            if cases:
                yield Group(state, steps, cases)

    def unasked(self, rule: Rule, term: Term, since: datetime | None, most: int) -> list[Key]:
        """Cases that were not drawn, those with the lowest draws first; none from before `since`."""
        known = self._unasked[rule.title, term.key].items()
        late = ((draw, key) for key, (draw, at) in known if since is None or at >= since)
        return [key for _, key in nsmallest(most, late)]

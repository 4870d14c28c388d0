import pytest

from services.contracts.policy import read_policy
from tests.services.contracts.drafts import CALENDAR_SURVEY, DRAFT, changed, read, refused, with_more


def test_a_policy_travels_whole() -> None:
    policy = read(with_more(CALENDAR_SURVEY))
    assert read_policy(policy.document()) == policy


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (changed("limits:", "limit:"), "draft.yaml:5:1: unknown key 'limit'. Did you mean 'limits'?"),
        (changed("2026-01-01", "soon"), "draft.yaml:3:60: expected a date, found 'soon'. Write it like 2026-01-31"),
        (changed("overall: true,", "overall: yes,"), "Write true or false; yes, no, on and off are only words"),
        (changed("overall: true,", "overall: on,"), "Write true or false; yes, no, on and off are only words"),
        (DRAFT + "policy: again\n", "draft.yaml:19:1: the key 'policy' stands twice. Remove one of them"),
        (changed("  short:", "\tshort:"), "draft.yaml:7:1: a tab in the indentation. Use spaces"),
        (with_more("scores: &a {method: sum}\nvalidity: *a\n"), "anchors and aliases are not allowed"),
        (with_more("scores: !!python/object:os.system {}\n"), "draft.yaml:19:9: the tag"),
        (
            changed("{zh: 草案, en: Draft}", "{zh: 草案, en: Draft, or so}"),
            "put a text with a comma or a colon in quotes",
        ),
    ],
)
def test_row_54_what_is_not_the_language_is_refused_with_line_and_remedy(text: str, finding: str) -> None:
    assert any(finding in line for line in refused(text)), refused(text)


def test_row_54_a_bomb_of_anchors_is_refused_before_it_grows() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(20))
    assert all("anchors and aliases" in line for line in refused(bomb))


@pytest.mark.parametrize("quiet", ["22:00-08:00", "08:00-08:00", "01:00-02:30"])
def test_row_55_quiet_hours_across_midnight_equal_ends_and_gaps_are_defined(quiet: str) -> None:
    assert str(read(changed("21:00-08:30", quiet)).calendar.quiet) == quiet


def test_row_55_unknown_zones_are_refused() -> None:
    assert refused(changed("Asia/Shanghai", "Asia/NoWhere")) == [
        "draft.yaml:4:22: unknown time zone 'Asia/NoWhere'. Write an IANA zone like Asia/Shanghai or Europe/Berlin"
    ]


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("1 in 14 days", "0 in 14 days", "is not a limit of at least 1"),
        ("1 in 14 days", "-1 in 14 days", "is not a limit of at least 1"),
        ("[{first: [sms, email]}]", "[]", "Write at least one"),
        ("[{first: [sms, email]}]", "[{first: [sms]}, {reminder: after 2d}, {reminder: after 1d}]", "do not rise"),
        ("questionnaires:", "privacy: {minimum_group: 4}\nquestionnaires:", "It should be greater than or equal to 5"),
        ("questionnaires:", "privacy: {minimum_comments: 9}\nquestionnaires:", "greater than or equal to 10"),
    ],
)
def test_row_56_caps_lists_and_small_groups_are_refused(old: str, new: str, finding: str) -> None:
    assert any(finding in line for line in refused(changed(old, new)))


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (changed("questionnaire: short", "questionnaire: long"), "draft.yaml:16:20: survey 'ticket' asks the quest"),
        (
            with_more("follow_up: [{when: {answers: {overal: [1]}}}]\n"),
            "draft.yaml:19:39: the item 'overal' does not exist. Name one of: overall, why",
        ),
        (
            with_more("follow_up: [{when: {answers: {overall: [7]}}}]\n"),
            "nobody can answer 7 to 'overall'. Possible are 1, 2, 3, 4, 5",
        ),
        (
            with_more("follow_up: [{when: {response: dissatisfied}, alert: [the boss]}]\n"),
            "nobody is called 'the boss'",
        ),
        (
            with_more("follow_up: [{when: {comment: present}, case: {owner: sales, type: price}}]\n"),
            "the problem type 'price' does not exist",
        ),
        (
            with_more("plans: {approve: king}\n"),
            "draft.yaml:19:18: nobody is called 'king'",
        ),
        (with_more("scores: {method: nps}\n"), "draft.yaml:19:18: the method 'nps' finds no item to work on"),
        (with_more("scores: {method: mean, item: gone}\n"), "'gone' does not exist. Name one of: overall"),
        (
            with_more("dimensions: {a: {title: {zh: 甲, en: A}, under: {a: {title: {zh: 甲, en: A}}}}}\n"),
            "the dimension 'a' stands twice in the tree",
        ),
        (with_more("    again: {when: {answers: {no: [1]}}, next: month}\n"), "the item 'no' does not exist"),
        (
            with_more("    again: {when: {answers: {why: [bad]}}, next: month}\n"),
            "what customers write to 'why' is no condition",
        ),
        (changed("limits: {", "limits: {questions: 1, "), "2 items, at most 1 (limits.questions)"),
        (changed("ask_when: {overall", "ask_when: {late"), "is asked when 'late', which is not an earlier item"),
        (changed("[1, 2]", "[1, 9]"), "draft.yaml:12:51: nobody can answer [9] to 'overall'"),
    ],
)
def test_names_that_lead_nowhere_are_found_where_they_stand(text: str, finding: str) -> None:
    assert any(finding in line for line in refused(text)), refused(text)


def test_all_names_that_lead_nowhere_are_told_at_once() -> None:
    found = refused(with_more("plans: {approve: king}\nfollow_up: [{when: {comment: present}, alert: [queen]}]\n"))
    assert len(found) == 2


def test_reports_take_two_people() -> None:
    report = """\
reports:
  quarter:
    title: {zh: 报告, en: Report}
    every: quarter
    due: 10 working days
    sections: [findings]
    review: [director]
    approve: [director]
    send: [managers]
"""
    assert any("approves what he reviews himself" in line for line in refused(with_more(report)))


def test_roles_can_be_declared() -> None:
    policy = read(with_more("roles: {king: {zh: 王, en: King}}\nplans: {approve: king}\n"))
    assert policy.role("king").en == "King"
    assert policy.role("sales").en == "Sales"


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("    on: ticket closed\n", "", "no reason to ask. Add `on: ticket closed`"),
        ("on: ticket closed", "on: occasion", "any occasion at all. Name its kind"),
        ("on: ticket closed", "every: month", "nobody is named who would be asked"),
        (
            "on: ticket closed",
            "on: ticket closed\n    every: week, from 1 day before its end",
            "the period is not over",
        ),
        ("on: ticket closed", "on: ticket closed\n    sample: {size: 10}", "`sample` is for surveys by the calendar"),
        ("on: ticket closed", "on: ticket shut", "'ticket shut' is not allowed here"),
        ("on: ticket closed", "every: month\n    ask: {customers: {}}\n    share: 50%", "`share` is for tickets"),
        ("[{first: [sms, email]}]", "[{call: 1h before deadline}]", "the steps do not begin with one `first`"),
        ("[{first: [sms, email]}]", "[{frist: [sms]}]", "a step that is none of first, reminder, call, visit"),
        (
            "[{first: [sms, email]}]",
            "[{first: [sms]}, {visit: 1h before deadline}, {reminder: after 1h}]",
            "a reminder stands after `call` or `visit`",
        ),
        (
            "within: 2d}\n    steps: [{first: [sms, email]}]",
            "within: 10 working days}\n    steps: [{first: [sms]}, {visit: 2 working days before deadline}]",
            "the page closes (7d) before the visit (2 working days before the deadline, which is 10 working days away)",
        ),
    ],
)
def test_surveys_need_one_reason_and_somebody_to_ask(old: str, new: str, finding: str) -> None:
    assert any(finding in line for line in refused(changed(old, new))), refused(changed(old, new))


def test_what_plans_say_holds_where_a_survey_says_nothing() -> None:
    policy = read(
        with_more(CALENDAR_SURVEY + "plans: {sample: {size: 30%}, coverage: {share: 30%, active_within: 6 months}}\n")
    )
    assert str(policy.sample_of("quarter").size) == "30%"
    assert policy.coverage_of("quarter") is not None
    assert str(read(with_more(CALENDAR_SURVEY)).sample_of("quarter").size) == "all"


def test_keys_of_the_language_are_its_own_not_those_of_the_program() -> None:
    assert any(
        "unknown key 'not_'" in line
        for line in refused(changed("on: ticket closed", "on: ticket closed\n    where: {not_: {type: [a]}}"))
    )

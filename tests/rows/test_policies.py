"""Rows on policies as documents: a file each, and changed by approval alone."""

from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest

from scheduler import store
from scheduler.app import Policies
from scheduler.difference import differences
from scheduler.handlers.policies import find_revision, new_version, propose, take_step
from scheduler.revision import Refusal, Revision
from scheduler.store.policies import NewVersion
from services.contracts.policy import parse_policy, read_policy
from services.contracts.surveys import PolicyApproved
from tests.rows.packs import PACKS
from tests.scheduler.desk import Desk, closed, only, person

AT = datetime(2026, 3, 3, 2, tzinfo=UTC)  # Tuesday, 10:00 in Shanghai
DAY = timedelta(days=1)
SOURCES = {
    "itss-incident": "S0",
    "itss-0405": "S1",
    "enterprise": "S2",
    "creative-agency": "S3",
    "project-operations": "S4",
    "property-service": "S4.5",
    "service-quality": "S4.6",
    "customer-grading": "S4.10",
}


def text_of(name: str) -> str:
    return files("policies").joinpath(f"{name}.yaml").read_text(encoding="utf-8")


def version_of(text: str, effective_from: datetime | None = None) -> NewVersion:
    return new_version(text, parse_policy(text, "policy.yaml"), effective_from)


async def install(scheduler: Desk, name: str) -> None:
    async with scheduler.house.database.transaction("scheduler") as transaction:
        await Policies([version_of(text_of(name))]).keep(scheduler.house, transaction)


async def proposed(scheduler: Desk, new: NewVersion) -> Revision:
    async with scheduler.house.database.transaction("scheduler") as transaction:
        return await propose(transaction, new, "anna", "as the meeting decided", "rest")


async def stepped(scheduler: Desk, revision: Revision, step: str, actor: str) -> list[PolicyApproved]:
    """Takes a step and returns the approvals that were said with it."""
    policy, version, *_ = revision
    async with scheduler.house.database.transaction("scheduler") as transaction:
        if step == "reviewed":
            await take_step(transaction, policy, version, "reviewed", actor, "read", "rest")
        else:
            await take_step(transaction, policy, version, "approved", actor, "good", "rest")
        return only(transaction.said, PolicyApproved)


async def approved(scheduler: Desk, new: NewVersion) -> list[PolicyApproved]:
    revision = await proposed(scheduler, new)
    await stepped(scheduler, revision, "reviewed", "bo")
    return await stepped(scheduler, revision, "approved", "chen")


async def in_force(scheduler: Desk) -> dict[str, int]:
    async with scheduler.house.database.reading() as transaction:
        return {row["policy"]: row["version"] for row in await store.find_policies_in_force(transaction)}


@pytest.mark.parametrize("name", PACKS)
def test_s1_11_a_policy_names_author_reviewer_approver_version_and_history(name: str) -> None:
    approval = parse_policy(text_of(name), name).approval
    assert approval.author
    assert approval.reviewer
    assert approval.approver not in ("", approval.author)
    assert [each.version for each in approval.history]
    assert all(each.by and each.change.zh and each.change.en for each in approval.history)


async def test_s1_11_the_house_keeps_who_wrote_checked_and_approved_each_version(scheduler: Desk) -> None:
    await install(scheduler, "itss-0405")
    text = text_of("itss-0405")
    changed = text.replace("expires: 21d", "expires: 14d")
    await approved(scheduler, version_of(changed))
    async with scheduler.house.database.reading() as transaction:
        first, second = [await find_revision(transaction, "itss-0405", version) for version in (1, 2)]
        row = await store.find_policy_version(transaction, "itss-0405", 1)
    block = parse_policy(text, "itss-0405").approval
    assert [each.actor for each in first.history] == [block.author, block.reviewer, block.approver]
    assert {each.cause for each in first.history} == {"installed"}
    assert [(each.step, each.actor) for each in second.history] == [
        ("proposed", "anna"),
        ("reviewed", "bo"),
        ("approved", "chen"),
    ]
    assert row is not None
    assert row["text"] == text
    (change,) = differences(row["text"], changed)
    assert (change.path.endswith(".expires"), change.before, change.after) == (True, "21d", "14d")


def test_n_1_each_source_document_is_one_file() -> None:
    assert set(PACKS) == set(SOURCES)
    for name, source in SOURCES.items():
        head = text_of(name).partition("\npolicy:")[0]
        assert f"{source}" in head
        assert parse_policy(text_of(name), name).policy == name


async def test_n_1_rules_change_by_a_changed_file_and_by_approval_alone(scheduler: Desk) -> None:
    await install(scheduler, "itss-incident")
    new = version_of(text_of("itss-incident").replace("after: 2h, within: 2d", "after: 1h, within: 1d"))
    revision = await proposed(scheduler, new)
    assert await in_force(scheduler) == {"itss-incident": 1}
    for step, actor in (("approved", "chen"), ("reviewed", "anna")):
        with pytest.raises(Refusal):
            await stepped(scheduler, revision, step, actor)
    await stepped(scheduler, revision, "reviewed", "bo")
    for actor in ("anna", "bo"):
        with pytest.raises(Refusal):
            await stepped(scheduler, revision, "approved", actor)
    assert await in_force(scheduler) == {"itss-incident": 1}
    (said,) = await stepped(scheduler, revision, "approved", "chen")
    assert (said.version, said.effective_from) == (2, scheduler.clock.now())
    assert str(read_policy(said.document).surveys["incident"].send.within) == "1d"
    assert await in_force(scheduler) == {"itss-incident": 2}


async def test_n_1_surveys_under_way_keep_the_version_that_caused_them(scheduler: Desk) -> None:
    await install(scheduler, "itss-incident")
    scheduler.clock.set(AT)
    await scheduler.hear(closed(AT, person(1), "IT-1", type="incident"))
    text = text_of("itss-incident").replace("after: 2h, within: 2d", "after: 1h, within: 1d")
    (said,) = await approved(scheduler, version_of(text, AT + DAY))
    assert said.effective_from == AT + DAY
    await scheduler.hear(closed(AT, person(2), "IT-2", type="incident"))
    scheduler.clock.set(AT + DAY)
    await scheduler.hear(closed(AT + DAY, person(3), "IT-3", type="incident"))
    dues = {(due.ticket, due.version) for due in await scheduler.dues(AT + DAY + timedelta(hours=5))}
    assert dues == {("IT-1", 1), ("IT-2", 1), ("IT-3", 2)}
    promised = {ticket: (await scheduler.survey(ticket))["promised_by"] for ticket in ("IT-1", "IT-2", "IT-3")}
    assert promised == {"IT-1": AT + 2 * DAY, "IT-2": AT + 2 * DAY, "IT-3": AT + 2 * DAY}

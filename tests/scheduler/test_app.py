from datetime import UTC, datetime
from pathlib import Path

import pytest

from scheduler import store
from scheduler.app import Policies, open_room, read_policies
from scheduler.handlers.policies import new_version, propose, take_step
from scheduler.store.policies import list_policy_steps
from services.clock import DrivenClock
from services.contracts.policy import parse_policy, read_policy
from services.contracts.surveys import PolicyApproved
from services.errors import ConfigurationError
from services.house import House
from services.tick import Tick
from tests.scheduler.desk import only

DEFAULT = (Path(__file__).parents[2] / "policies" / "itss-incident.yaml").read_text(encoding="utf-8")


async def keep(house: House, policies: Policies) -> list[PolicyApproved]:
    async with house.database.transaction("scheduler") as transaction:
        assert await policies.keep(house, transaction) == 0
        return only(transaction.said, PolicyApproved)


async def test_the_default_pack_is_in_force_at_the_first_start_and_said_at_each(house: House) -> None:
    for _ in range(2):
        (approved,) = await keep(house, Policies(read_policies(None)))
        assert (approved.policy, approved.version) == ("itss-incident", 1)
        assert approved.effective_from == datetime(2025, 12, 31, 16, tzinfo=UTC)  # midnight in Shanghai
        assert read_policy(approved.document) == parse_policy(DEFAULT, "default")


async def test_a_changed_file_is_the_next_version(house: House, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    versions = []
    for share in ("100%", "50%", "100%"):
        file.write_text(DEFAULT.replace("share: 100%", f"share: {share}"), encoding="utf-8")
        (approved,) = await keep(house, Policies(read_policies(tmp_path)))
        versions.append(approved.version)
    assert versions == [1, 2, 3]
    async with house.database.reading() as transaction:
        row = await store.find_policy_version(transaction, "itss-incident", 2)
    assert row is not None
    assert "share: 50%" in row["text"]


async def test_a_file_is_approved_by_its_own_words(house: House) -> None:
    await keep(house, Policies(read_policies(None)))
    async with house.database.reading() as transaction:
        history = await list_policy_steps(transaction, "itss-incident", 1)
    block = parse_policy(DEFAULT, "default").approval
    assert [(each.step, each.actor, each.cause) for each in history] == [
        ("proposed", block.author, "installed"),
        ("reviewed", block.reviewer, "installed"),
        ("approved", block.approver, "installed"),
    ]


async def test_a_file_that_replaces_another_changes_nothing_in_the_past(
    house: House, clock: DrivenClock, tmp_path: Path
) -> None:
    file = tmp_path / "own.yaml"
    times = []
    for share in ("100%", "50%"):
        file.write_text(DEFAULT.replace("share: 100%", f"share: {share}"), encoding="utf-8")
        (approved,) = await keep(house, Policies(read_policies(tmp_path)))
        times.append(approved.effective_from)
    assert times == [datetime(2025, 12, 31, 16, tzinfo=UTC), clock.now()]


async def test_a_restart_leaves_alone_what_was_approved_meanwhile(house: House, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(DEFAULT, encoding="utf-8")
    await keep(house, Policies(read_policies(tmp_path)))
    text = DEFAULT.replace("share: 100%", "share: 50%")
    async with house.database.transaction("scheduler") as transaction:
        new = new_version(text, parse_policy(text, "proposed"))
        await propose(transaction, new, "anna", None, "rest")
    (still,) = await keep(house, Policies(read_policies(tmp_path)))
    assert still.version == 1
    async with house.database.transaction("scheduler") as transaction:
        await take_step(transaction, "itss-incident", 2, "reviewed", "bo", "read", "rest")
        await take_step(transaction, "itss-incident", 2, "approved", "chen", "good", "rest")
        assert [each.version for each in only(transaction.said, PolicyApproved)] == [2]
    (approved,) = await keep(house, Policies(read_policies(tmp_path)))
    assert approved.version == 2
    file.write_text(DEFAULT.replace("share: 100%", "share: 25%"), encoding="utf-8")
    (changed,) = await keep(house, Policies(read_policies(tmp_path)))
    assert changed.version == 3


async def test_a_policy_takes_effect_at_its_time(house: House, clock: DrivenClock, tmp_path: Path) -> None:
    text = DEFAULT.replace("effective: 2026-01-01", "effective: 2026-04-01")
    (tmp_path / "later.yaml").write_text(text, encoding="utf-8")
    policies = Policies(read_policies(tmp_path))
    assert await keep(house, policies) == []
    clock.set(datetime(2026, 3, 31, 16, tzinfo=UTC))
    assert len(await keep(house, policies)) == 1


def test_wrong_files_keep_the_room_shut_and_every_fault_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(DEFAULT.replace("late: skip", "late: never"), encoding="utf-8")
    (tmp_path / "b.yaml").write_text(DEFAULT + "surprise: 1\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_policies(tmp_path)
    first, second = str(caught.value).splitlines()
    assert "a.yaml:" in first
    assert "'never' is not allowed" in first
    assert "unknown key 'surprise'" in second


def test_one_policy_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(DEFAULT, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="another file"):
        read_policies(tmp_path)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_folder_without_a_readable_policy_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(ConfigurationError):
        read_policies(tmp_path)


async def test_the_room_keeps_its_policies_first(house: House) -> None:
    async with open_room(house) as room:
        first = room.ticks[0]
        assert isinstance(first, Tick)
        assert first.name == "keep_policies"

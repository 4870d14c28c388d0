"""Validity: which signs of carelessness or doubt an answer bears. A flag makes it suspect, never void. Pure.

A person voids, with a reason, and not the person rated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

from scoring.response import Answer, Answers, is_asked
from services.contracts.language.scores import Validity
from services.contracts.questionnaire import SCALES, Questionnaire, ScaleName
from services.contracts.responses import ResponseChannel

Flag = Literal[
    "incomplete", "straight-lined", "too-fast", "duplicate", "staff-network", "scanner-suspect", "agent-entered"
]

_ENDS: Mapping[ScaleName, tuple[int, int]] = {name: (min(scale.values), scale.top) for name, scale in SCALES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How an answer came about.

    `seconds` passed between the page and the answer (None where that says nothing, as when an earlier answer is only
    corrected). `neighbours` are other customers who answered from the same address within the policy's window.
    """

    channel: ResponseChannel = "self"
    seconds: float | None = None
    neighbours: int = 0
    from_staff_network: bool = False
    by_scanner: bool = False


def flags(
    questionnaire: Questionnaire, answers: Answers, circumstances: Circumstances, thresholds: Validity
) -> tuple[Flag, ...]:
    """The flags of an answer, in the order of their list."""
    found: dict[Flag, bool] = {
        "incomplete": _is_incomplete(questionnaire, answers, thresholds.incomplete_below),
        "straight-lined": _is_straight_lined(questionnaire, answers, thresholds.straight_lined_from),
        "too-fast": _is_too_fast(answers, circumstances.seconds, thresholds.too_fast_seconds),
        "duplicate": circumstances.neighbours > 0,
        "staff-network": circumstances.from_staff_network,
        "scanner-suspect": circumstances.by_scanner and thresholds.scanner_suspect == "flag",
        "agent-entered": circumstances.channel != "self" and thresholds.agent_entered == "flag",
    }
    return tuple(flag for flag, holds in found.items() if holds)


def _is_incomplete(questionnaire: Questionnaire, answers: Answers, below: float) -> bool:
    """Mandatory items missing, or too small a share answered. An optional text left empty is no gap."""
    asked = [item for item in questionnaire.items if is_asked(item, answers)]
    counted = [item for item in asked if item.kind != "text" or item.required]
    answered = [item for item in counted if item.id in answers]
    if any(item.required and item.id not in answers for item in counted):
        return True
    return bool(counted) and len(answered) / len(counted) < below


def _is_straight_lined(questionnaire: Questionnaire, answers: Answers, least: int) -> bool:
    """At least so many scale items, all answered alike: at the same place between their scales' ends."""
    places = [_place(item.scale, answers.get(item.id)) for item in questionnaire.items if item.scale]
    rated = [place for place in places if place is not None]
    return len(rated) >= least and len(set(rated)) == 1


def _place(scale: ScaleName, answer: Answer | None) -> float | None:
    lowest, highest = _ENDS[scale]
    return (answer - lowest) / (highest - lowest) if isinstance(answer, int) else None


def _is_too_fast(answers: Answers, seconds: float | None, least: float) -> bool:
    return seconds is not None and bool(answers) and seconds < least * len(answers)


def is_in(address: str | None, networks: Sequence[str]) -> bool:
    """Whether an address lies in one of the networks (CIDR)."""
    if not address or not networks:
        return False
    try:
        place = ip_address(address)
    except ValueError:
        return False
    ranges: list[IPv4Network | IPv6Network] = [ip_network(network, strict=False) for network in networks]
    return any(place in each for each in ranges)


def tells_apart(address: str | None) -> bool:
    """Whether an address says anything about who is behind it: a public one does, that of a proxy in the house not."""
    try:
        return address is not None and ip_address(address).is_global
    except ValueError:
        return False

"""The columns of a customer register as a table: what they are called, and how a cell of each is read."""

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from services.contracts.customers import CustomerKind
from services.contracts.sheet import read_day
from services.contracts.tickets import Channel

CUSTOMER: Mapping[str, tuple[str, ...]] = {
    "customer": ("客户", "客户编号", "客户号", "customer id"),
    "kind": ("客户类型", "customer kind"),
    "customer_name": ("客户名称", "公司名称", "company name"),
    "tier": ("客户层级", "客户级别", "重要程度"),
    "size": ("规模", "企业规模"),
    "trade": ("行业", "所属行业", "industry"),
    "region": ("地区", "区域"),
    "grade": ("客户等级", "评级"),
    "segments": ("客户群", "客户分群", "segment"),
    "active_since": ("合作开始日期", "首次合作日期", "customer since"),
    "last_active": ("最近活跃日期", "最近业务日期", "last activity"),
    "served_by": ("服务单位", "服务机构"),
    "owner": ("客户经理", "负责人", "account manager"),
}
"""What a row tells of the customer. A column `figure:revenue` or `指标:revenue` tells one of his figures."""

PROJECT: Mapping[str, tuple[str, ...]] = {
    "project": ("项目", "项目编号", "project id"),
    "project_manager": ("项目经理",),
    "project_started": ("项目开始日期", "开工日期"),
    "project_accepted": ("项目验收日期", "验收日期"),
}
"""What a row tells of one of his projects."""

PERSON: Mapping[str, tuple[str, ...]] = {
    "source": ("来源系统", "来源"),
    "person": ("联系人编号", "person id", "contact id"),
    "person_name": ("联系人", "联系人姓名", "姓名", "contact name"),
    "email": ("邮箱", "电子邮箱", "邮件", "e-mail"),
    "phone": ("电话", "手机", "手机号", "联系电话", "mobile"),
    "locale": ("语言", "language"),
    "timezone": ("时区", "time zone"),
    "roles": ("角色", "role"),
    "consent": ("同意", "同意渠道", "同意联系方式"),
}
"""What a row tells of one of his people."""

KNOWN: Mapping[str, tuple[str, ...]] = {**CUSTOMER, **PROJECT, **PERSON}
REACHED_BY = frozenset({"person", "email", "phone"})
"""One of these names a person."""
FIGURE_PREFIX = "figure:"
FIGURE = re.compile(r"(?:figures?|指标)\s*:\s*(.*)", re.IGNORECASE)
FIGURE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}", re.ASCII)
LONGEST = 200
"""Of a cell, in characters."""
LONGEST_ADDRESS = 254
CACHED = 4_096
FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes for a formula begins so."""

_KINDS: Mapping[str, CustomerKind] = {
    "organisation": "organisation", "organization": "organisation", "company": "organisation", "b2b": "organisation",
    "企业": "organisation", "公司": "organisation", "单位": "organisation",
    "consumer": "consumer", "person": "consumer", "b2c": "consumer", "个人": "consumer", "消费者": "consumer",
}  # fmt: skip
_ALL: tuple[Channel, ...] = ("email", "sms", "call", "visit")
_CONSENTS: Mapping[str, tuple[Channel, ...]] = {
    "email": ("email",), "e-mail": ("email",), "邮件": ("email",), "邮箱": ("email",),
    "sms": ("sms",), "短信": ("sms",),
    "call": ("call",), "phone": ("call",), "电话": ("call",),
    "visit": ("visit",), "上门": ("visit",), "拜访": ("visit",), "走访": ("visit",),
    "all": _ALL, "全部": _ALL, "none": (), "无": (),
}  # fmt: skip
_SEPARATORS = str.maketrans("，、；|,", ";;;;;")
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,]\d*)?E\+?\d+", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?", re.ASCII)
_SAVE_AS_TEXT = "Format the column as text in your program, correct it, and save again"


_ADDRESS = re.compile(r".*@.*|\+?\d*1\d{10}", re.ASCII)


class CellError(ValueError):
    """A cell cannot be used. The message never repeats what stands in it: it may be personal."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


def is_address(name: str) -> bool:
    """Whether a name is an e-mail address or a mobile number: of a consumer that would be personal."""
    return _ADDRESS.fullmatch(name) is not None


def read_cell(column: str, cell: str) -> Any:
    """What a cell that is not empty means. Raises `CellError`."""
    return read_figure(cell) if column.startswith(FIGURE_PREFIX) else _READERS.get(column, read_words)(cell)


def read_words(cell: str) -> str:
    """Words on one line. What a spreadsheet would take for a formula gets an apostrophe in front."""
    if len(cell) > LONGEST:
        raise CellError(f"{len(cell)} characters, more than {LONGEST}", "Shorten it")
    if not cell.isprintable():
        raise CellError("it holds a line break or another control character", "Write it on one line")
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def read_name(cell: str) -> str:
    """A name by which systems know something. Raises `CellError` for formulas and damaged numbers, too."""
    if read_words(cell) != cell:
        raise CellError("a formula is no name", _SAVE_AS_TEXT)
    if _SCIENTIFIC.fullmatch(cell):
        raise CellError("a spreadsheet has rounded this number", _SAVE_AS_TEXT)
    return cell


def read_figure(cell: str) -> float:
    """A number, perhaps with commas between the thousands."""
    number = float(cell.replace(",", "")) if _NUMBER.fullmatch(cell) else math.nan
    if not math.isfinite(number):
        raise CellError("not a number", "Write it in digits, with a point before decimals: 1250000.50")
    return number


def _read_kind(cell: str) -> CustomerKind:
    kind = _KINDS.get(cell.casefold())
    if kind is None:
        raise CellError("not a kind of customer", "Write organisation (企业) or consumer (个人)")
    return kind


def _read_day(cell: str) -> Any:
    try:
        return read_day(cell)
    except ValueError:
        raise CellError("not a day", "Write it like 2026-03-02") from None


@lru_cache(CACHED)
def _read_texts(cell: str) -> tuple[str, ...]:
    parts = (part.strip() for part in cell.translate(_SEPARATORS).split(";"))
    return tuple(dict.fromkeys(read_words(part) for part in parts if part))


@lru_cache(CACHED)
def _read_consent(cell: str) -> tuple[Channel, ...]:
    told: set[Channel] = set()
    for word in _read_texts(cell):
        if word.casefold() not in _CONSENTS:
            raise CellError("not a channel", "Write email, sms, call, visit, or all; leave it empty for no consent")
        told.update(_CONSENTS[word.casefold()])
    return tuple(channel for channel in _ALL if channel in told)


def _read_email(cell: str) -> str:
    if cell.startswith(FORMULA) or len(cell) > LONGEST_ADDRESS:
        raise CellError("not an e-mail address", "Write it like li.hua@example.com, or leave it empty")
    return cell


def _read_phone(cell: str) -> str:
    if _SCIENTIFIC.fullmatch(cell):
        raise CellError("a spreadsheet has rounded this number", _SAVE_AS_TEXT)
    if cell.startswith(("=", "-", "@")) or len(cell) > LONGEST:
        raise CellError("not a telephone number", "Write it like +8613800138000, or leave it empty")
    return cell


_READERS: Mapping[str, Callable[[str], Any]] = {
    "customer": read_name,
    "kind": _read_kind,
    "segments": _read_texts,
    "active_since": _read_day,
    "last_active": _read_day,
    "served_by": read_name,
    "owner": read_name,
    "project": read_name,
    "project_manager": read_name,
    "project_started": _read_day,
    "project_accepted": _read_day,
    "source": read_name,
    "person": read_name,
    "email": _read_email,
    "phone": _read_phone,
    "roles": _read_texts,
    "consent": _read_consent,
}

"""The errors of the house, as a tree.

HuifangError
├── Problem              a request cannot be done; becomes application/problem+json (RFC 9457)
├── ConfigurationError   settings, a file or the command line is wrong; the process ends with exit code 78
└── Unavailable          PostgreSQL, Kafka or a deadline failed; the same thing may work later (503)
"""

from typing import Any


class HuifangError(Exception):
    """Whatever the house raises on purpose."""


class Problem(HuifangError):
    """A refusal that tells what, where and what to do.

    `slug` names the kind of problem (stable, for programs); `detail` is for people; `members` are added to the body.
    """

    def __init__(self, status: int, slug: str, detail: str, **members: Any) -> None:
        super().__init__(f"{status} {slug}: {detail}")
        self.status = status
        self.slug = slug
        self.detail = detail
        self.members = members


class ConfigurationError(HuifangError):
    """The installation is set up wrongly; the message names the setting or file and the remedy."""


class Unavailable(HuifangError):
    """Something that the house needs did not answer in time; nothing was lost, trying again is right."""

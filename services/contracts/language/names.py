"""Names that a policy gives and takes: people's functions, issuers, periods, and lists of plain values."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from services.contracts.part import wrong
from services.contracts.questionnaire import Words

Period = Literal["week", "month", "quarter", "year"]
Issuer = Literal["service desk", "project manager", "sales", "quality control"]
"""In whose name a survey goes out, and on whose list its calls and visits stand."""

RoleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9 _-]{0,62}$", examples=["quality control", "director"])]
"""A function in the company: one of `ROLES`, or one that the policy declares under `roles`."""

ROLES: dict[str, Words] = {
    "service desk": Words(zh="服务台", en="Service desk"),
    "quality control": Words(zh="质量控制组", en="Quality control"),
    "quality assurance": Words(zh="QA 专员", en="Quality assurance"),
    "service improvement": Words(zh="服务改进组", en="Service improvement"),
    "project manager": Words(zh="项目经理", en="Project manager"),
    "sales": Words(zh="销售", en="Sales"),
    "departments": Words(zh="相关部门", en="The departments concerned"),
    "managers": Words(zh="各经理", en="Managers"),
    "director": Words(zh="总监", en="Director"),
}
"""What every policy knows without declaring it."""

ShortText = Annotated[str, Field(min_length=1, max_length=200)]


def distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Refuses a list in which the same value stands twice."""
    if len(set(values)) < len(values):
        raise wrong("the same value stands twice in the list", "Remove one of them")
    return values


Values = Annotated[tuple[ShortText, ...], Field(min_length=1), AfterValidator(distinct)]
Roles = Annotated[tuple[RoleName, ...], Field(min_length=1), AfterValidator(distinct)]

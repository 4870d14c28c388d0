"""`/v1/customers/import`: the register of customers from a file."""

import asyncio
import codecs
import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel
from starlette.datastructures import UploadFile

from ingest.api.customers import InTransaction, MayWrite
from ingest.customer import REGISTER, Imported
from ingest.handlers.customer_import import import_customers
from ingest.payload import SOURCE_NAME
from services.contracts.customer_file import CustomerFile, read_customers
from services.contracts.sheet import Finding
from services.errors import Problem
from services.web import HouseOf

router = APIRouter(prefix="/v1/customers", tags=["customers"])
GZIP = b"\x1f\x8b"
MOST_NAMED = 10_000
"""Refused cells that one answer names."""

_TABLES = frozenset({
    "text/csv", "text/plain", "text/tab-separated-values", "application/csv", "application/vnd.ms-excel",
    "application/octet-stream",
})  # fmt: skip
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
_BODY = {
    "required": True,
    "content": {
        "text/csv": {"schema": {"type": "string", "format": "binary"}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        },
    },
}


class Place(BaseModel):
    """What is to be said of a place of the file, and what to do about it; `line` counts from 1."""

    line: int
    column: str | None
    what: str
    remedy: str


class TallyShown(BaseModel):
    """How many are new, how many are changed, and of how many the file tells nothing new."""

    new: int
    changed: int
    same: int


class ImportShown(BaseModel):
    """What a file did to the register, or would do. Nothing was read of `unread_columns`."""

    dry_run: bool
    charset: str
    delimiter: str
    rows: int
    customers: TallyShown
    people: TallyShown
    unread_columns: list[str]
    notes: list[Place]


async def read_file(request: Request) -> CustomerFile:
    """The body of the request; a dependency, so that it is read and understood before a transaction is opened."""
    declared = request.headers.get("content-type", "")
    kind = declared.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        data = await _upload(request)
    elif kind in _TABLES:
        data = await request.body()
    else:
        raise Problem(415, "media-type", "Send the table as text/csv, or as `file` in multipart/form-data.")
    if data.startswith(GZIP):
        raise _refused([Finding(1, None, "the file is packed", "Send it unpacked")])
    # A large file takes seconds: others are served meanwhile.
    file = await asyncio.to_thread(read_customers, data)
    charset = _CHARSET.search(declared)
    if charset and file.charset and not _agrees(data, charset[1], file.charset):
        what = f"the request calls this {charset[1]}, but it is {file.charset}"
        raise _refused([Finding(1, None, what, "Name the right charset, or none")])
    return file


@router.post("/import", dependencies=[MayWrite], openapi_extra={"requestBody": _BODY})
async def post_import(
    file: Annotated[CustomerFile, Depends(read_file)],
    house: HouseOf,
    transaction: InTransaction,
    dry_run: Annotated[bool, Query(description="Only tell what would be done.")] = False,
    source: Annotated[
        str, Query(pattern=SOURCE_NAME, description="The system whose people they are, where the row names none.")
    ] = REGISTER,
) -> ImportShown:
    """Takes customers and their people in, all of a file or nothing; the same file again changes nothing."""
    imported = await import_customers(house, transaction, file, source, dry_run, _ignore)
    if imported.findings:
        raise _refused(imported.findings, imported)
    summary = imported.summary()
    return ImportShown(dry_run=dry_run, **{name: summary[name] for name in ImportShown.model_fields if name in summary})


async def _upload(request: Request) -> bytes:
    async with request.form(max_files=1, max_fields=10) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Problem(422, "no-file", "The form has no file in the field `file`.")
        return await file.read()


def _agrees(data: bytes, declared: str, found: str) -> bool:
    try:
        name = codecs.lookup(declared).name
        return (name in ("utf-8", "ascii") and found == "utf-8") or data.decode(name) == data.decode(found)
    except (LookupError, UnicodeDecodeError):
        return False


def _refused(findings: list[Finding], imported: Imported | None = None) -> Problem:
    summary: dict[str, Any] = imported.summary() if imported else {}
    members: dict[str, Any] = {name: summary[name] for name in ("charset", "delimiter", "rows") if name in summary}
    members["refused"] = [each._asdict() for each in findings[:MOST_NAMED]]
    return Problem(422, "import", f"Nothing was imported: {len(findings)} places are refused.", **members)


def _ignore(done: int) -> None:
    """Nobody watches."""

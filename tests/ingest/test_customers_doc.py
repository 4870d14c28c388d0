"""docs/customers.md says what is true."""

import re
from pathlib import Path

from ingest.customer import examine
from services.contracts.customer_cells import KNOWN
from services.contracts.customer_file import read_customers

DOCS = Path(__file__).parents[2] / "docs"


def test_the_example_is_read_without_a_word() -> None:
    file = read_customers((DOCS / "customers.csv").read_bytes())
    assert examine(file, "CN") == []
    assert (file.notes, file.unknown) == ((), ())
    assert file.given.keys() == {*KNOWN, "figure:revenue"} - {"grade", "served_by"}
    assert [(each.customer, len(each.people), len(each.facts.projects)) for each in file.customers] == [
        ("C-1001", 2, 2),
        ("C-1002", 1, 0),
        ("C-2001", 1, 0),
    ]


def test_every_column_is_explained_in_both_languages() -> None:
    rows = re.findall(r"^\| (`.+?) \| (.+?) \|", (DOCS / "customers.md").read_text("utf-8"), re.MULTILINE)
    explained = {
        column.strip("`"): chinese
        for columns, translations in rows
        for column, chinese in zip(columns.split(" · "), translations.split(" · "), strict=False)
    }
    for column, synonyms in KNOWN.items():
        assert explained[column] in synonyms, column

"""Every law is shown a tree that breaks it, and one that does not."""

import pytest

from tests.laws import LAWS, Law, imports, statements, words
from tests.laws.source import Tree

STATEMENT = "-- name: find_moves\n-- The moves of a ticket.\nselect at from ingest.move where ticket = $1;\n"
STORE = 'SQL = Statements("ingest")\nasync def find_moves(tx):\n    return await tx.fetch(SQL["find_moves"])\n'


MUTANTS: dict[Law, tuple[tuple[str, str, str], ...]] = {
    imports.rooms_know_only_themselves_and_the_frame: (
        ("ingest/x.py", "import scheduler.store", "scheduler.store"),
        ("services/x.py", "from ingest import app", "ingest.app"),
        ("services/x.py", "import tests.conftest", "tests.conftest"),
    ),
    imports.plumbing_is_a_closed_set: (
        ("ingest/app.py", "", "ingest/handlers.py: missing"),
        ("ingest/app.py", "", "ingest/migrations/0001_: missing"),
        ("ingest/ticket/more/moves.py", "", "a folder too deep"),
        ("ingest/pages/ticket.py", "", "a folder too deep"),
    ),
    imports.nouns_are_pure: (
        ("ingest/ticket.py", "import os", "imports os"),
        ("ingest/api/more/ticket.py", "import os", "imports os"),
        ("ingest/ticket/moves.py", "import os", "imports os"),
        ("ingest/ticket.py", "from time import monotonic", "imports time.monotonic"),
        ("ingest/ticket.py", "from urllib.request import urlopen", "urllib.request"),
        ("ingest/ticket.py", "from services.database import Record", "services.database"),
        ("ingest/ticket.py", "from ingest.store import find_moves", "ingest.store"),
        ("ingest/ticket.py", "import httpx", "imports httpx"),
        ("ingest/ticket.py", "def f(clock): return clock.now()", "calls now()"),
        ("ingest/ticket.py", "text = open('x')", "calls open()"),
        ("services/contracts/x.py", "import random", "imports random"),
    ),
    imports.rooms_leave_servers_to_the_frame: (
        ("ingest/store.py", "import asyncpg", "imports asyncpg"),
        ("ingest/app.py", "from services.kafka import Producer", "frame's"),
        ("ingest/app.py", "from services.run import main", "is for __main__"),
        ("ingest/api.py", "database.transaction('ingest')", "transaction()"),
        ("ingest/store.py", "connection.commit()", "commit()"),
    ),
    imports.only_channels_call_strangers: (
        ("notifier/handlers.py", "import httpx", "imports httpx"),
        ("ingest/api.py", "from urllib.request import urlopen", "strangers"),
        ("notifier/channels/x.py", "from notifier import store", "no connection"),
    ),
    imports.imports_are_absolute_and_at_the_top: (
        ("ingest/app.py", "from . import api", "relative"),
        ("ingest/app.py", "def f():\n    import json", "below the top"),
        ("ingest/app.py", "import_module('x')", "imports by name"),
    ),
    imports.imports_have_no_circle: (("ingest/store.py", "import ingest.store2", ""),),
    imports.embedded_mode_stays_out_of_real_installations: (("services/run.py", "import services.embedded.up", "up"),),
    imports.packages_are_known: (("improvement/case.py", "", "no room of this name"),),
    statements.no_sql_stands_in_python: (
        ("ingest/store.py", "Q = 'select at from ingest.move'", "SQL: 'select at"),
        ("ingest/store.py", "f('''\n insert into ingest.move''')", "insert into"),
        ("services/x.py", "f(f'delete from {room}.outbox')", "delete from"),
        ("ingest/x.py", "SQL = 'with a as (select 1) update b.c set d=1'", "with a"),
    ),
    statements.statements_are_named_and_described: (
        ("ingest/store.sql", "select 1;", "SQL without a name"),
        ("ingest/store.sql", "-- name: a\nselect 1;", "not described"),
        ("ingest/store.sql", "-- name: findV2\n-- It.\n", "names nothing"),
        ("ingest/migrations/0001_a.sql", "create", "does not begin"),
    ),
    statements.statements_are_used_and_known: (
        ("ingest/store.sql", STATEMENT * 2, "stands twice"),
        ("ingest/store.sql", STATEMENT, "find_moves is not used"),
        ("ingest/store.py", STORE, "no statement find_moves"),
        ("ingest/store.py", STORE * 2, "used from 2 places"),
        ("ingest/api.py", STORE, "only store.py does"),
        ("ingest/store/tickets.sql", STATEMENT, "find_moves is not used"),
    ),
    statements.sql_stays_in_its_own_schema: (
        ("ingest/store.sql", "select 1 from scheduler.survey", "scheduler"),
        ("ingest/store.sql", "select 1 from move", "move without its schema"),
        ("ingest/store.sql", "update move set at = $1", "move without"),
    ),
    statements.sql_keeps_to_the_house_rules: (
        ("ingest/store.sql", "select 1;\ncommit;", "ends a transaction"),
        ("ingest/store.sql", "select now()", "asks the server"),
        ("ingest/store.sql", "where a in ($1)", "in $1"),
    ),
    statements.migrations_are_numbered_and_forward_compatible: (
        ("ingest/migrations/0002_a.sql", "", "expected 0001"),
        ("ingest/migrations/0001_a.sql", "alter table ingest.move drop column at", "drop column"),
    ),
    words.wires_have_a_speaker_and_an_ear: (
        ("ingest/handlers.py", "HANDLERS = {}", "no handler hears it"),
        ("ingest/handlers.py", "HANDLERS = {SurveyDue: f}", "no wire brings"),
        ("ingest/handlers.py", "", "should say TicketClosed"),
        ("ingest/x.py", "SurveyDue()", "makes SurveyDue"),
    ),
    words.metrics_are_declared_in_one_file: (("ingest/x.py", "from prometheus_client import Counter", "metrics"),),
    words.the_environment_is_read_in_one_place: (
        ("ingest/x.py", "a = os.environ['A']", "reads the environment"),
        ("ingest/x.py", "read_settings()", "reads the settings"),
    ),
    words.the_clock_is_asked_in_one_place: (("services/x.py", "datetime.now(UTC)", "asks the machine"),),
    words.door_plates_tell_what_a_room_does: (
        ("ingest/__init__.py", '"""Owns."""', "does not tell what it hears"),
        ("ingest/__main__.py", "a\n" * 4, "three lines"),
    ),
    words.files_are_short: (("docs/long.md", "a\n" * 401, "401 lines"),),
    words.functions_are_short: (
        ("ingest/x.py", "def f():\n" + "    a = 1\n" * 9, "median"),
        ("ingest/x.py", "def f():\n" + "    a = 1\n" * 34, "one function of ten"),
    ),
    words.names_say_something: (
        ("ingest/utils.py", "", "says nothing"),
        ("ingest/x.py", "class TicketService: ...", "class TicketService"),
        ("ingest/x.py", "from fastapi import BackgroundTasks", "is refused"),
    ),
    words.nothing_is_left_undone: (
        ("ingest/x.py", "# TODO: finish", "finish"),
        ("deploy/x", "https://files.{}.org".format("python" + "hosted"), "package registry"),
    ),
}
"""For each law: a file, what stands in it, and what the law says of it."""


@pytest.mark.parametrize(
    ("law", "mutant"),
    [pytest.param(law, each, id=f"{law.__name__}-{each[2]}") for law in MUTANTS for each in MUTANTS[law]],
)
def test_a_broken_house_is_told(law: Law, mutant: tuple[str, str, str]) -> None:
    path, text, says = mutant
    files = {path: text}
    if law is imports.imports_have_no_circle:
        files["ingest/store2.py"] = "from ingest.store import find"
    broken = list(law(Tree(files)))
    assert any(says in each for each in broken), broken


def test_every_law_has_a_mutant() -> None:
    assert set(LAWS) == set(MUTANTS)


@pytest.mark.parametrize(
    ("law", "path", "text"),
    [
        (imports.nouns_are_pure, "ingest/ticket.py", "from datetime import time\nimport services.contracts.tickets"),
        (imports.nouns_are_pure, "ingest/store.py", "import os"),
        (imports.nouns_are_pure, "ingest/api/tickets.py", "import os"),
        (imports.nouns_are_pure, "notifier/channels/smtp.py", "import ssl"),
        (imports.only_channels_call_strangers, "notifier/channels/smtp.py", "import aiosmtplib"),
        (statements.no_sql_stands_in_python, "ingest/api.py", '"""Select a policy from the list."""\na = "commit"'),
        (statements.no_sql_stands_in_python, "ingest/api.py", "raise Problem(409, 'x', 'Update it and set a date')"),
        (statements.statements_are_named_and_described, "ingest/store.sql", STATEMENT),
        (
            statements.sql_stays_in_its_own_schema,
            "ingest/store.sql",
            "with due as materialized (select extract(hour from at) from ingest.move for update skip locked)\n"
            "insert into ingest.gone select due.a from due join lateral unnest($1::text[]) as x on true\n"
            "on conflict do update set a = excluded.a -- from nowhere\n"
            "where gone.a is distinct from excluded.a and b <> 'from words'",
        ),
        (statements.sql_keeps_to_the_house_rules, "ingest/store.sql", "select clock_timestamp(), known(a) from a.b"),
        (words.functions_are_short, "ingest/x.py", "def f():\n    return 1\n"),
    ],
)  # fmt: skip
def test_a_sound_house_passes(law: Law, path: str, text: str) -> None:
    assert list(law(Tree({path: text}))) == []

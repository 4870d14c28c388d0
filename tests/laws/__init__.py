"""The laws of the house (docs/architecture.md), each a function from a tree of sources to what breaks it, if anything.

A law takes the tree as a value, so that the tests can show it a broken one: a law that cannot fail is none.
"""

from collections.abc import Callable, Iterator

from tests.laws import imports, statements, words
from tests.laws.source import Tree

Law = Callable[[Tree], Iterator[str]]

LAWS: tuple[Law, ...] = (
    imports.rooms_know_only_themselves_and_the_frame,
    imports.plumbing_is_a_closed_set,
    imports.nouns_are_pure,
    imports.rooms_leave_servers_to_the_frame,
    imports.only_channels_call_strangers,
    imports.imports_are_absolute_and_at_the_top,
    imports.imports_have_no_circle,
    imports.embedded_mode_stays_out_of_real_installations,
    imports.packages_are_known,
    statements.no_sql_stands_in_python,
    statements.statements_are_named_and_described,
    statements.statements_are_used_and_known,
    statements.sql_stays_in_its_own_schema,
    statements.sql_keeps_to_the_house_rules,
    statements.migrations_are_numbered_and_forward_compatible,
    words.wires_have_a_speaker_and_an_ear,
    words.metrics_are_declared_in_one_file,
    words.the_environment_is_read_in_one_place,
    words.the_clock_is_asked_in_one_place,
    words.door_plates_tell_what_a_room_does,
    words.files_are_short,
    words.functions_are_short,
    words.names_say_something,
    words.nothing_is_left_undone,
)

from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from services import pages
from services.pages import render, templates


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of its own with templates."""
    folder = tmp_path / "a_room_of_tests"
    (folder / "templates").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "templates" / "page.html").write_text("{% if name %}\n  <p>{{ name }}</p>\n{% endif %}\n")
    (folder / "templates" / "attribute.txt").write_text('<a title="{{ name }}">')
    monkeypatch.syspath_prepend(tmp_path)
    yield "a_room_of_tests"
    templates.cache_clear()


@pytest.mark.parametrize("hostile", ["<script>", "{{ 7*7 }}", "\"'><", "&amp;"])
def test_whatever_is_shown_is_escaped_and_never_run(package: str, hostile: str) -> None:
    page = render(package, "page.html", name=hostile)
    shown = hostile.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert page == f"  <p>{shown.replace(chr(34), '&#34;').replace(chr(39), '&#39;')}</p>\n"
    assert render(package, "attribute.txt", name=hostile).count('"') == 2


def test_a_value_that_is_missing_is_a_bug_and_no_blank(package: str) -> None:
    with pytest.raises(UndefinedError, match="name"):
        render(package, "attribute.txt")


def test_templates_are_read_once(package: str) -> None:
    assert pages.templates(package) is templates(package)
    with pytest.raises(TemplateNotFound):
        render(package, "../__init__.py")

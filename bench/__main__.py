"""`python -m bench`: measures, and prints a table in Markdown."""

import sys

import uvloop

from bench import flow, pages
from bench.ground import ground
from services import logs


def main() -> None:
    """Measures everything on servers of its own; takes about two minutes."""
    logs.configure("ERROR", "console")
    with ground() as settings:
        flows = [_line(*figure, "–") for figure in uvloop.run(flow.measure(settings))]
    with ground() as settings:
        addresses = [_line(*figure[:4], f"{figure.p99:.1f} ms") for figure in uvloop.run(pages.measure(settings))]
    head = ["| flow | rate | limit, same run | ratio | goal | p99 at 1,000/s |", "|---|---|---|---|---|---|"]
    sys.stdout.write("\n".join([*head, *flows, *addresses]) + "\n")


def _line(what: str, rate: float, limit: float, goal: float, p99: str) -> str:
    return f"| {what} | {rate:,.0f}/s | {limit:,.0f}/s | {rate / limit:.2f} | ≥ {goal} | {p99} |"


if __name__ == "__main__":
    main()

"""Pages: Jinja2 with everything escaped and nothing undefined, and the house's one style sheet."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


@cache
def templates(package: str) -> Environment:
    """The templates of a package's `templates/`, which may extend the frame's `services/…`."""
    return Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(package: str, template: str, **values: object) -> str:
    """A page as HTML."""
    return templates(package).get_template(template).render(**values)

"""The templates of the HTML pages; all text from data is escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.plurals import counted

if TYPE_CHECKING:
    from jinja2 import Template


def template(name: str) -> Template:
    """A template of this package by its file name; an unknown name in it is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("evalkit.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["counted"] = counted
    return environment.get_template(name)

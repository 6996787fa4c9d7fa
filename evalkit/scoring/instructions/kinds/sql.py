"""SQL that parses."""

from __future__ import annotations

import logging
from typing import Any

from evalkit.scoring.instructions.parameters import Dialect
from evalkit.scoring.instructions.registry import instruction


@instruction("sql", source="sqlglot")
def sql(text: str, *, dialect: Dialect = "") -> str:
    """One or more SQL statements that parse in the dialect; queries and changes to data or tables.

    Nothing is run, and no table or column needs to exist. The parser is a lenient one: it lets
    pass some statements that a database would refuse.
    """
    import sqlglot

    # It warns of what it does not know before it returns it as a Command.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        statements = sqlglot.parse(text, dialect=dialect or None)
    except sqlglot.errors.SqlglotError as error:
        return f"does not parse as SQL: {' '.join(str(error).split())[:200]}"
    given = [statement for statement in statements if statement is not None]
    if not given:
        return "no SQL statement"
    strange = [each for each in given if not _is_statement(each)]
    return f"no SQL statement: {strange[0].sql()[:80]!r}" if strange else ""


def _is_statement(parsed: Any) -> bool:
    """Whether it is a whole statement: an expression alone parses too, and so does much prose."""
    from sqlglot import expressions as exp

    if isinstance(parsed, exp.Select | exp.Update):
        return bool(parsed.expressions)
    if isinstance(parsed, exp.Insert):
        return parsed.expression is not None or bool(parsed.args.get("default"))
    whole = exp.Query | exp.Values | exp.Delete | exp.Merge | exp.Create | exp.Drop | exp.Alter
    return isinstance(parsed, whole | exp.TruncateTable)

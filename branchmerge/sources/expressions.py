"""What the SQL expressions of params.yaml read of a file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

FILE = "file"  # the table that they read


@dataclass(frozen=True)
class Columns:
    """What an expression reads.

    Args:
        names: Columns and names of its own, as of a list comprehension.
        own: The latter.
        fields: Names of fields of structs.
        path: A column and perhaps fields of it, where the expression is nothing else; empty where it is more.
    """

    names: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    path: tuple[str, ...] = ()


def columns_of(connection: Any, expression: str) -> Columns:
    """What an SQL expression reads; nothing where it is no SQL, which DuckDB tells when it is used."""
    ((text,),) = connection.execute("select json_serialize_sql($1)", [f"select {expression}"]).fetchall()
    if (tree := json.loads(text))["error"]:
        return Columns()
    found = list(_references(tree["statements"], is_own=False))
    selected = tree["statements"][0]["node"]["select_list"]
    return Columns(
        frozenset(path[0] for path, _ in found if path[0]),
        frozenset(path[0] for path, is_own in found if path[0] and is_own),
        frozenset(name for path, _ in found for name in path[1:]),
        found[0][0] if len(selected) == 1 and selected[0].get("class") == "COLUMN_REF" else (),
    )


def _references(node: Any, is_own: bool) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Columns with their fields; and fields of what is no column, behind an empty name."""
    if isinstance(node, list):
        yield from chain.from_iterable(_references(part, is_own) for part in node)
    elif isinstance(node, dict) and node.get("class") == "COLUMN_REF":
        first, *rest = node["column_names"]
        yield tuple(rest) if rest and first == FILE else (first, *rest), is_own
    elif isinstance(node, dict):
        if node.get("type") in ("STRUCT_EXTRACT", "ARRAY_EXTRACT"):
            literals = [part["literal"] for part in node["children"] if "literal" in part]
            yield ("", *(literal["text"] for literal in literals if literal.get("kind") == "STRING")), is_own
        for key, part in node.items():
            yield from _references(part, is_own or (key == "lhs" and node.get("class") == "LAMBDA"))

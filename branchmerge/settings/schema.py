"""The keys of params.yaml, machine.yaml and search.yaml as JSON Schema, for editors; descriptions are the classes' own.

A class says what its keys mean below "Args:" in its docstring.
"""

import inspect
import re
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from branchmerge.core.params import Params
from branchmerge.merging.methods import METHODS, MethodParameters
from branchmerge.search.space import SearchParams
from branchmerge.settings.sections import MACHINE_SECTIONS, MODELS, SECTIONS

FILES = ("params", "machine", "search")
SECTIONS_OF: dict[str, tuple[type[Params], ...]] = {
    "params": SECTIONS,
    "machine": MACHINE_SECTIONS,
    "search": (SearchParams,),
}
_ENTRY = re.compile(r"^ {4}((?:\w+, )*\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)


def schema_of(file: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one of `FILES`."""
    sections = SECTIONS_OF[file]
    _, schema = models_json_schema([(section, "validation") for section in sections])
    for model in models_of(sections):
        _describe(schema["$defs"][model.__name__], model)
    root: dict[str, Any] = _object({})
    for section in sections:
        for path in section.sections:
            # of a section that another overrides, either has some of the keys
            _place(root, path.split("."), schema["$defs"][section.__name__], is_part=len(section.sections) > 1)
    if file == "params":
        root["properties"][MODELS] = {
            "description": "Every model that is evaluated: its name and its folder.",
            "type": "object",
            "additionalProperties": {"type": "string"},
        }
    title = f"{file}.yaml of branchmerge"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **root, "$defs": schema["$defs"]}


def models_of(sections: typing.Iterable[type[BaseModel]]) -> list[type[BaseModel]]:
    """Some classes and all that are parts of them."""
    found: dict[type[BaseModel], None] = {}
    queue = list(sections)
    while queue:
        model = queue.pop()
        if model not in found:
            found[model] = None
            queue += [part for field in model.model_fields.values() for part in parts_of(field.annotation)]
    return list(found)


def parts_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """The classes that an annotation names."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from parts_of(argument)


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """Key -> what it means, by the docstrings of a class and of those it extends."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        _, _, arguments = (inspect.getdoc(base) or "").partition("Args:\n") if base.__doc__ else ("", "", "")
        for names, text in _ENTRY.findall(arguments):
            found |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    method = METHODS.get(model.__name__.removesuffix("_parameters"))
    if method is not None:
        found = {name: f"mergekit's, {parameter.range}" for name, parameter in method.parameters.items()}
    elif model is MethodParameters:
        found = {name: f"Parameters of {name}; null where it is not used." for name in METHODS}
    return {name: text for name, text in found.items() if name in model.model_fields}


def _describe(schema: dict[str, Any], model: type[BaseModel]) -> None:
    schema["description"] = (inspect.getdoc(model) or "").split("\n\n")[0]
    for name, text in meanings(model).items():
        schema["properties"][name]["description"] = text


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _place(root: dict[str, Any], path: list[str], schema: dict[str, Any], is_part: bool) -> None:
    """Put a section's schema where it stands in the file; a name in braces stands for any key."""
    node = root
    for key in path[:-1]:
        node = node["properties"].setdefault(key, {"type": "object"}) if "{" not in key else _any(node)
        node.setdefault("properties", {})
    own = {key: value for key, value in schema.items() if key != "required"} if is_part else schema
    if "{" in path[-1]:
        node.pop("properties", None)
        node["additionalProperties"] = own
    else:
        node["properties"][path[-1]] = own


def _any(node: dict[str, Any]) -> dict[str, Any]:
    node.pop("properties", None)
    if not isinstance(node.get("additionalProperties"), dict):
        node["additionalProperties"] = _object({})
    below: dict[str, Any] = node["additionalProperties"]
    return below

"""Which of the blocks in an answer is its program: the last that is Python and has what its tests ask for.

The player chooses, so no stranger's text is ever compiled outside a confined process. Stdlib only, and nothing
slow to import.
"""

from __future__ import annotations

TYPE_CHECKING = False  # that of typing takes 4 ms of every start
if TYPE_CHECKING:
    from collections.abc import Iterator
    from symtable import SymbolTable
    from types import CodeType
    from typing import TypedDict

    class Block(TypedDict):
        """A piece of a text that may be a program.

        Args:
            start: Its first line.
            readings: Its sources, each with the line where it ends: where it may end is not always clear.
            rank: 2 where it is said to be Python, 0 where it is said to be something else, else 1.
        """

        start: int
        readings: list[tuple[str, int]]
        rank: int

else:
    Block = dict

_BOM = "\ufeff"
_PRINT = {"print", "pprint", "stdout", "write", "writelines"}
_READ = {"fileinput", "input", "open", "read", "stdin"}


def block(source: str, rank: int = 1) -> Block:
    """A text that is one block."""
    return {"start": 0, "readings": [(source, source.count("\n") + 1)], "rank": rank}


def choose(texts: list[list[Block]], asked: list[str] | None) -> str:
    """The source to run; of blocks that fit alike the last one.

    Args:
        texts: The blocks of each text; a later text counts as what follows.
        asked: Names that the tests use; None where they give it stdin and read what it prints.
    """
    blocks = [block for text in texts for block in text]
    if len(blocks) == 1 and len(blocks[0]["readings"]) == 1:
        return blocks[0]["readings"][0][0].lstrip(_BOM)
    found = [program for text in texts for program in _programs(text)]
    made = {name for source, _, _ in found for name in _defined(source, with_imports=False)}
    best, most = "", (-1, -1)
    for source, code, rank in found:
        hits = _printing(source, code, made) if asked is None else len(_defined(source) & set(asked))
        if (fit := (hits, min(rank, 1) if hits else rank)) >= most:
            best, most = source, fit
    if best:
        return best
    likely = max(block["rank"] for block in blocks)  # none is Python: the error is that of the last
    return [block["readings"][0][0] for block in blocks if block["rank"] == likely][-1].lstrip(_BOM)


def names_in(code: CodeType) -> Iterator[str]:
    """Every name that a piece of code or a function in it looks up."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            yield from names_in(constant)


def _programs(blocks: list[Block]) -> Iterator[tuple[str, CodeType, int]]:
    """The blocks of a text that are Python, from its top; what stands within one is no block of its own."""
    end = 0
    for block in blocks:
        if block["start"] < end:
            continue
        for text, last in block["readings"]:
            source = text.lstrip(_BOM)
            if source.strip() and (code := _compiled(source)) is not None:
                yield source, code, block["rank"]
                end = last
                break


def _compiled(source: str) -> CodeType | None:
    try:
        return compile(source, "program", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return None


def _printing(source: str, code: CodeType, made: set[str]) -> int:
    """Whether a program prints, and also reads: 0 to 2. One that needs names which another block makes is a part of it.

    Args:
        made: Names that any block gives a value to.
    """
    if used_in(_table(source)) & made - _defined(source):
        return 0
    names = set(names_in(code))
    return bool(names & _PRINT) * (1 + bool(names & _READ))


def used_in(table: SymbolTable) -> set[str]:
    """The names that a module, or anything in it, looks up in the module."""
    is_module = table.get_type() == "module"
    names = {s.get_name() for s in table.get_symbols() if s.is_referenced() and (is_module or s.is_global())}
    return names.union(*map(used_in, table.get_children()))


def defined_in(table: SymbolTable, with_imports: bool = True) -> set[str]:
    """The names that a module gives a value to."""
    return {s.get_name() for s in table.get_symbols() if s.is_assigned() or (with_imports and s.is_imported())}


def _defined(source: str, with_imports: bool = True) -> set[str]:
    return defined_in(_table(source), with_imports)


def _table(source: str) -> SymbolTable:
    import symtable

    return symtable.symtable(source, "program", "exec")

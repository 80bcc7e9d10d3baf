"""The blocks of an answer that may be its program: those in fences, as CommonMark reads them, and the whole.

Where a fence is not as CommonMark wants it (in the middle of a line, closed by one within a docstring), all
that it may hold is read; `programs.blocks` takes what is Python.
"""

import re
from collections.abc import Iterator
from itertools import accumulate, islice, pairwise
from textwrap import dedent

from markdown_it import MarkdownIt

from branchmerge.grading.answers import ended, tagged
from branchmerge.programs.blocks import Block, block

_BOM = re.compile("^\ufeff+", re.MULTILINE)
_LINE_END = re.compile(r"\r\n?")
_FENCE = re.compile(r"`{3,}|~{3,}")
_WORD = re.compile(r"[\w+#.-]+")
_IS_PYTHON = re.compile(r"(?:[\w.-]*\.|lang(?:uage)?-)?(?:i?python|py|pypy)[\d.]*")
_MAX_FENCES = 1000  # of a text; one that has more repeats itself, and its middle is left out
_MAX_ENDS = 8  # of a block: as many fences behind it are tried as its end
_MAX_CHARACTERS = 4_000_000  # of all readings that are tried beside CommonMark's
# without HTML, where a tag before a fence would hide it, and without what else has no part in fences
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).disable(
    ["inline", "text_join", "list", "heading", "lheading", "hr", "reference"]
)


def programs(answer: str) -> list[list[Block]]:
    """What may be the program of an answer, in the whole of it and then in its last <answer>; [] where nothing is."""
    text = ended(_BOM.sub("", _LINE_END.sub("\n", answer)))
    inside = tagged(text)
    return [_blocks(part) for part in (text, inside) if part and part.strip()]


def _blocks(text: str) -> list[Block]:
    """The text itself or what it begins with, and what its fences hold; by their first lines."""
    whole, text = block(_level(text)), _without_middle(text)
    blocks: dict[int, Block] = {}
    for token in _MARKDOWN.parse(text) if _FENCE.search(text) else ():
        if token.type == "fence" and token.map is not None:
            start, end = token.map
            blocks[start] = {"start": start, "readings": [(_level(token.content), end)], "rank": _rank(token.info)}
    for start, rank, readings in _loose(text):
        known = blocks.setdefault(start, {"start": start, "readings": [], "rank": rank})
        known["readings"] += readings
    found = [blocks[start] for start in sorted(blocks)]
    if found and _FENCE.match(text.lstrip()):
        return found  # for ~~~python is Python, too
    for fence in islice(_FENCE.finditer(text), _MAX_ENDS):
        whole["readings"].append((_level(text[: fence.start()]), text.count("\n", 0, fence.start())))
    return [whole, *found]


def _without_middle(text: str) -> str:
    """A text with no more fences than are read, the first half of them and the last."""
    fences = list(_FENCE.finditer(text))
    if len(fences) <= _MAX_FENCES:
        return text
    half = _MAX_FENCES // 2
    return f"{text[: fences[half - 1].end()]}\n{text[fences[-half].start() :]}"


def _loose(text: str) -> Iterator[tuple[int, int, list[tuple[str, int]]]]:
    """What stands between any two fences, wherever in a line: first line, rank, readings."""
    fences = list(_FENCE.finditer(text))
    starts = [0, *(fence.start() for fence in fences)]
    lines = [*accumulate(text.count("\n", *ends) for ends in pairwise(starts))]
    left = _MAX_CHARACTERS
    for place, (opening, start) in enumerate(zip(fences, lines, strict=True)):
        first = text.find("\n", opening.end()) + 1
        if not first:
            return
        behind = zip(fences[place + 1 :], lines[place + 1 :], strict=True)
        ends = ((f.start(), line + 1) for f, line in behind if f.start() >= first and f[0].startswith(opening[0]))
        readings = [(text[first:end], line) for end, line in islice(ends, _MAX_ENDS)]
        readings = readings or [(text[first:], text.count("\n") + 1)]
        left -= sum(len(source) for source, _ in readings)
        if left < 0:
            return
        yield start, _rank(text[opening.end() : first]), [(_level(source), end) for source, end in readings]


def _rank(info: str) -> int:
    """See `Block`: what the word behind a fence says of the language."""
    word = _WORD.search(info)
    if word is None:
        return 1
    return 2 if _IS_PYTHON.fullmatch(word[0].lstrip(".").casefold()) else 0


def _level(source: str) -> str:
    """A program that is indented as a whole, as in a list, without that."""
    source = source.rstrip()
    return dedent(source) if source.lstrip("\n")[:1] in (" ", "\t") else source

"""Cut revisions into passages along their structure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from evalkit.errors import ConfigError
from evalkit.records import Passage, Revision
from evalkit.retrieval.blocks import Block, blocks

# Scripts written without spaces (Han, kana) count one word a character.
_HAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_HAN}]|[^\s{_HAN}]+")
_SENTENCE_END = re.compile(r"[.!?]['\")\]*_]*\s+(?=[^a-z\s])|[\u3002\uff01\uff1f]+\s*")


@dataclass(frozen=True)
class Chunker:
    """Cuts by structure: a heading stays with what follows, tables, code and JSON stay whole.

    Blocks are taken together up to ``max_words``. A longer paragraph or list item is cut between
    sentences, a longer table between rows, its header repeated. Only what is longer still is cut
    anywhere: a sentence, a table row, and code or JSON, whose pieces are marked
    ``intact=False``, as are those of a row.

    Attributes:
        max_words: The most words of a passage, at least 8 (words are runs between white space, and
            single characters of scripts without it). A heading, or a line that leads in a list,
            may lengthen a passage by a quarter of that, a repeated table header by half.
        overlap: The most words that a passage repeats from the end of the one before; only
            whole sentences and list items are repeated.
    """

    max_words: int = 110
    overlap: int = 0

    def __post_init__(self) -> None:
        if self.max_words < 8:
            raise ConfigError(f"max_words is {self.max_words}; expected at least 8")
        if not 0 <= self.overlap <= self.max_words // 2:
            most = self.max_words // 2
            raise ConfigError(f"overlap is {self.overlap}; expected 0 to {most}, half of max_words")

    def passages(self, revisions: Iterable[Revision]) -> list[Passage]:
        """The passages of all revisions, in their order."""
        return [passage for revision in revisions for passage in self.split(revision)]

    def split(self, revision: Revision) -> list[Passage]:
        """The passages of one revision, in the order of its text; ``id`` is ``revision#number``.

        ``revision.text[start:end]`` always stands in the passage, to the letter; before it stands
        the header of a table, and nothing else, where the passage goes on with a cut table. Every
        word of the text is in some passage.
        """
        text = revision.text
        found = []
        for number, group in enumerate(_pack(_pieces(text, self.max_words), self)):
            start, end = group[0].start, group[-1].end
            body = text[start:end]
            header = group[0].header
            found.append(
                Passage(
                    id=f"{revision.revision}#{number}",
                    document=revision.document,
                    revision=revision.revision,
                    title=revision.title,
                    text=f"{header}\n{body}" if header else body,
                    valid_from=revision.valid_from,
                    valid_to=revision.valid_to,
                    start=start,
                    end=end,
                    intact=all(piece.intact for piece in group),
                )
            )
        return found


@dataclass(frozen=True)
class _Piece:
    """A span that is not cut further; ``header`` is repeated before it."""

    start: int
    end: int
    words: int
    prose: bool = False
    intact: bool = True
    header: str = ""


def count_words(text: str) -> int:
    """The number of words, as ``Chunker`` counts them."""
    return sum(1 for _ in _WORD.finditer(text))


def _pieces(text: str, most: int) -> Iterator[_Piece]:
    """The pieces of a text; headings and lead-ins are joined to the piece that follows them."""
    leading: list[Block] = []
    for block in blocks(text):
        if _leads(text, block, most):
            leading.append(block)
            continue
        parts = list(_cut(text, block, most))
        yield from _led(text, leading, parts[0], most)
        yield from parts[1:]
        leading = []
    for block in leading:
        yield from _cut(text, block, most)


def _leads(text: str, block: Block, most: int) -> bool:
    body = text[block.start : block.end]
    short = count_words(body) <= most // 4
    return short and (block.kind == "heading" or (block.kind == "paragraph" and body.endswith(":")))


def _led(text: str, leading: list[Block], piece: _Piece, most: int) -> Iterator[_Piece]:
    """The piece with as many of the blocks that lead it in as a quarter of a passage holds."""
    start, words = piece.start, 0
    kept = len(leading)
    for block in reversed(leading):
        words += count_words(text[block.start : block.end])
        if words > most // 4:
            break
        start, kept = block.start, kept - 1
    for block in leading[:kept]:
        yield from _cut(text, block, most)
    yield _Piece(start, piece.end, count_words(text[start : piece.end]), piece.prose, piece.intact)


def _cut(text: str, block: Block, most: int) -> Iterator[_Piece]:
    words = count_words(text[block.start : block.end])
    prose = block.kind in ("heading", "paragraph", "item")
    if words <= most:
        yield _Piece(block.start, block.end, words, prose)
    elif prose:
        for start, end in _sentences(text, block.start, block.end):
            yield from _windows(text, start, end, most, intact=True, prose=True)
    elif block.kind == "table":
        yield from _cut_table(text, block, most)
    else:
        yield from _cut_lines(text, block.start, block.end, most)


def _cut_table(text: str, table: Block, most: int) -> Iterator[_Piece]:
    """Groups of whole rows, the header before each; a row that is too long is cut."""
    header = text[table.start : table.header_end].rstrip()
    if count_words(header) > most // 2:
        yield from _cut_lines(text, table.start, table.end, most)
        return
    start, end, repeated = table.start, table.header_end, ""
    for row_start, row_end in _line_spans(text, table.header_end, table.end):
        if start == end:
            start = row_start
        if count_words(text[start:row_end]) <= most:
            end = row_end
            continue
        if end > start:
            yield _Piece(start, end, count_words(text[start:end]), header=repeated)
        repeated = header
        start = end = row_start
        if count_words(text[row_start:row_end]) <= most:
            end = row_end
            continue
        for piece in _windows(text, row_start, row_end, most, intact=False):
            yield _Piece(piece.start, piece.end, piece.words, intact=False, header=header)
        start = end = row_end
    if text[start:end].strip():
        yield _Piece(start, end, count_words(text[start:end]), header=repeated)


def _cut_lines(text: str, start: int, end: int, most: int) -> Iterator[_Piece]:
    """Groups of whole lines of what should have stayed whole."""
    group: tuple[int, int] | None = None
    for line_start, line_end in _line_spans(text, start, end):
        if group is not None and count_words(text[group[0] : line_end]) <= most:
            group = (group[0], line_end)
            continue
        if group is not None:
            yield from _windows(text, *group, most, intact=False)
        group = (line_start, line_end)
    if group is not None:
        yield from _windows(text, *group, most, intact=False)


def _windows(
    text: str, start: int, end: int, most: int, *, intact: bool, prose: bool = False
) -> Iterator[_Piece]:
    """Runs of at most ``most`` words."""
    spans = [match.span() for match in _WORD.finditer(text, start, end)]
    for first in range(0, len(spans), most):
        run = spans[first : first + most]
        yield _Piece(run[0][0], run[-1][1], len(run), prose, intact)


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for match in _SENTENCE_END.finditer(text, start, end):
        yield start, match.end()
        start = match.end()
    if start < end:
        yield start, end


def _line_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The lines of a span that are not blank, without the white space around them."""
    for match in re.compile(r"\S[^\n]*").finditer(text, start, end):
        yield match.start(), match.start() + len(match.group().rstrip())


def _pack(pieces: Iterable[_Piece], chunker: Chunker) -> Iterator[Sequence[_Piece]]:
    """Consecutive pieces together, up to ``max_words``, with the overlap in front."""
    group: list[_Piece] = []
    for piece in pieces:
        total = sum(each.words for each in group) + piece.words
        if group and (piece.header or total > chunker.max_words):
            yield group
            group = _repeated(group, piece, chunker)
        group.append(piece)
    if group:
        yield group


def _repeated(group: list[_Piece], piece: _Piece, chunker: Chunker) -> list[_Piece]:
    """The last sentences and list items of a passage that the next one repeats."""
    tail: list[_Piece] = []
    room = min(chunker.overlap, chunker.max_words - piece.words)
    for each in reversed(group[1:]):
        room -= each.words
        if room < 0 or piece.header or not each.prose:
            break
        tail.insert(0, each)
    return tail

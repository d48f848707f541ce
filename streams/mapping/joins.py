"""One text in several columns, and several texts in one column.

The normal form of a joined text has its words apart by exactly one separator, and none at the ends. In that form
`join(distribute(text)) == text` for any text and any number of columns: nothing is lost, wherever it is split.
"""

from collections.abc import Sequence


def normal(text: str, separator: str) -> str:
    """The text with repeated, leading and trailing separators taken away."""
    return separator.join(word for word in text.split(separator) if word)


def join(parts: Sequence[str | None], separator: str) -> str | None:
    """The parts that are not empty, joined, in normal form; None if there is no part at all."""
    if all(part is None for part in parts):
        return None
    return normal(separator.join(part for part in parts if part), separator)


def distribute(text: str, separator: str, held: Sequence[str | None]) -> list[str | None]:
    """A text over as many columns as `held` has, which are the parts they hold now.

    Parts that still begin or end the text stay where they are, so that "Anna Maria" + "Lopez" becoming
    "Anna Maria Gomez" changes the last column alone. The rest is split at its first separators; columns left over
    are empty, or stay null if they were.
    """
    name = normal(text, separator)
    front, rest = _kept_front(name, separator, held)
    back, rest = _kept_back(rest, separator, held[len(front) :])
    open_columns = held[len(front) : len(held) - len(back)]
    words: list[str | None] = [*rest.split(separator, len(open_columns) - 1)]
    spare = [None if part is None and name else "" for part in open_columns[len(words) :]]
    return [*front, *words, *spare, *back]


def _kept_front(text: str, separator: str, held: Sequence[str | None]) -> tuple[list[str | None], str]:
    kept: list[str | None] = []
    for part in held[:-1]:
        if not part or not text.startswith(part + separator):
            break
        kept.append(part)
        text = text[len(part) + len(separator) :]
    return kept, text


def _kept_back(text: str, separator: str, held: Sequence[str | None]) -> tuple[list[str | None], str]:
    kept: list[str | None] = []
    for part in reversed(held[1:]):
        if not part or not text.endswith(separator + part):
            break
        kept.insert(0, part)
        text = text[: -len(part) - len(separator)]
    return kept, text


def split(text: str | None, separator: str, count: int) -> tuple[str | None, ...]:
    """The text's first words one by one, and everything after them in the last place; None where words run out."""
    if text is None:
        return (None,) * count
    words = normal(text, separator).split(separator, count - 1)
    return (*words, *[None] * (count - len(words)))

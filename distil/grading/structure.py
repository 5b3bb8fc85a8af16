"""Brackets, commas and words that join: how an answer falls into parts."""

import re
from collections.abc import Iterator

MOST_ITEMS = 300
_SEPARATOR_WORD = re.compile(
    r"\s*(?:\\text\s*\{\s*(?:and|or|,\s*and|,\s*or|,)\s*\}|\b(?:and|or)\b|\\(?:wedge|"
    r"vee)(?![a-zA-Z]))\s*",
    re.IGNORECASE,
)


def _depths(text: str) -> Iterator[tuple[int, int]]:
    """Yield (position, depth) of each character; brackets of any kind pair up."""
    depth = 0
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\\" and position + 1 < len(text):
            following = text[position + 1]
            if following == "{":
                yield position, depth
                depth += 1
                position += 2
                continue
            if following == "}":
                depth -= 1
                yield position, depth
                position += 2
                continue
            yield position, depth
            position += 2 if not following.isalpha() else 1
            continue
        if character in "([{":
            yield position, depth
            depth += 1
        elif character in ")]}":
            depth -= 1
            yield position, depth
        else:
            yield position, depth
        position += 1


def top_level(text: str) -> frozenset[int]:
    """Positions outside every bracket."""
    return frozenset(position for position, depth in _depths(text) if depth == 0)


def split_list(text: str) -> tuple[list[str], str]:
    """Top-level parts of a list and how they are joined: "list", "or" or "and"."""
    top = top_level(text)
    cuts: list[tuple[int, int, str]] = []
    for position in sorted(top):
        if text[position] in ",;":
            cuts.append((position, position + 1, "list"))
    for found in _SEPARATOR_WORD.finditer(text):
        inner = found.start() + len(found.group()) - len(found.group().lstrip())
        if inner in top:
            kind = "or" if re.search(r"or|vee", found.group(), re.IGNORECASE) else "and"
            cuts.append((found.start(), found.end(), kind))
    if not cuts or len(cuts) > MOST_ITEMS * 20:
        return [text], "list"
    parts, kinds, at = [], set(), 0
    for start, end, kind in sorted(cuts):
        if start < at:
            continue
        piece = text[at:start].strip()
        if piece:
            parts.append(piece)
        kinds.add(kind)
        at = end
    piece = text[at:].strip()
    if piece:
        parts.append(piece)
    return parts, ("or" if "or" in kinds else "and" if "and" in kinds else "list")


def enclosed(text: str) -> tuple[str, str] | None:
    r"""(brackets, inside) if one pair of brackets encloses the whole text: "(", "[" or "\{"."""
    opener = "\\{" if text.startswith("\\{") else text[:1]
    if opener not in {"(", "[", "\\{"}:
        return None
    depth = 0
    last = None
    for position, before in _depths(text):
        if position > 0 and before == 0 and depth > 0:
            last = position
            break
        depth = 1
    if last is None:
        return None
    closer = "\\}" if text.startswith("\\}", last) else text[last]
    if last + len(closer) != len(text) or (opener == "\\{") != (closer == "\\}"):
        return None
    if closer not in {")", "]", "\\}"}:
        return None
    return opener[-1] + closer[-1], text[len(opener) : last].strip()

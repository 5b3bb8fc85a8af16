"""Lines joined to text: words broken at a line's end, and the words that decide about them."""

from __future__ import annotations

import re

from distil.exams.text.layout import TextLine

COUNTED = {
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "half", "non", "self",
}  # fmt: skip


# Words that TeX parts from the rest of what is one word.
PREFIXED = {
    "some", "every", "under", "over", "more", "what", "when", "where", "there", "mean", "back",
    "after", "other", "down", "never", "counter", "inter", "with",
}  # fmt: skip


def join_lines(texts: list[str], vocabulary: set[str] = frozenset()) -> str:
    """Return lines as one text; words broken at the line's end are joined.

    Args:
        texts: the lines.
        vocabulary: words seen whole elsewhere, which decide between `re-use` and `reuse`.
    """
    out = ""
    for text in texts:
        broken = re.search(r"([A-Za-z]+(?:-[A-Za-z]+)*)-$", out)
        start = re.match(r"[a-z]+(?:-[a-z]+)*", text)
        if broken and start:
            whole = broken.group(1).split("-")[-1] + start.group().split("-")[0]
            hyphened = "-" in broken.group(1) or "-" in start.group()
            kept = f"{broken.group(1)}-{start.group()}".lower() in vocabulary
            joined = whole.lower() in vocabulary
            parts = (broken.group(1).lower(), start.group().lower())
            compound = parts[0] in COUNTED or (
                parts[0] not in PREFIXED
                and all(len(part) >= 4 and part in vocabulary for part in parts)
            )
            if kept or ((hyphened or compound) and not joined):
                out += text
            else:
                out = out[:-1] + text
        elif re.search(r"\w-$", out) and not re.search(r"\s-$", out) and start:
            out += text
        else:
            out = f"{out} {text}" if out else text
    return re.sub(r"\s+", " ", out).strip()


def vocabulary_of(lines: list[TextLine]) -> set[str]:
    """Return the words, hyphened ones too, that stand whole inside lines."""
    words: set[str] = set()
    broken = False
    for line in lines:
        found = re.findall(r"[A-Za-z]+(?:-[A-Za-z]+)*", line.text)
        if broken:
            found = found[1:]
        broken = line.text.endswith("-")
        if found and broken:
            found.pop()
        words.update(word.lower() for word in found)
    return words

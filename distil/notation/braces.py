"""Balanced braces and delimiters of LaTeX."""


def balanced_end(text: str, start: int) -> int:
    """Position of the brace that closes the one at `start`, or -1 if it is never closed.

    Escaped braces do not count.
    """
    depth = 0
    position = start
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 2
            continue
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return -1


def argument(text: str, start: int) -> str | None:
    """What stands between the brace at `start` and the one that closes it; None: never closed."""
    end = balanced_end(text, start)
    return None if end < 0 else text[start + 1 : end]


def last_argument(text: str, command: str) -> str | None:
    r"""The argument of the last `command{...}` in a text, as of \boxed; None: there is none."""
    start = text.rfind(command + "{")
    found = argument(text, start + len(command)) if start >= 0 else None
    return found.strip() if found is not None else None


def in_formula(before: str) -> bool:
    r"""Whether a place stands between the delimiters of a formula: $, \(, \[ or \begin.

    Args:
        before: the text before the place.
    """
    before = before.replace("\\$", "")
    if before.count("$") % 2:
        return True
    opened = max(before.rfind("\\["), before.rfind("\\("), before.rfind("\\begin{"))
    closed = max(before.rfind("\\]"), before.rfind("\\)"), before.rfind("\\end{"))
    return opened > closed

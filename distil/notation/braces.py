"""Balanced braces of LaTeX."""


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

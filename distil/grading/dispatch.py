"""Dispatch of comparisons: one function for each pair of kinds, found by the types of two answers.

@compares(Clock, Clock)
def _clocks(a, b, notes): ...

same_answer(parse_form(plain("3:15")), parse_form(plain("3:15")), Notes())  # True
"""

from collections.abc import Callable, Iterable

from distil.grading.kinds import Collection, Notes
from distil.grading.plain import Plain, expression
from distil.grading.syntax import Node, NotUnderstoodError

Rule = Callable[..., bool | None]
_RULES: dict[tuple[type, type], Rule] = {}


def compares(first: type, *others: type) -> Callable[[Rule], Rule]:
    """Register a function for a kind against others, either way round; the first one counts."""

    def register(function: Rule) -> Rule:
        for other in others:
            _RULES.setdefault((first, other), function)
            _RULES.setdefault((other, first), lambda a, b, notes: function(b, a, notes))
        return function

    return register


def _single(form):
    while isinstance(form, Collection) and len(form.items) == 1 and form.kind != "tuple":
        form = form.items[0]
    return form


def same_answer(a, b, notes: Notes) -> bool | None:
    """Whether two answers are the same; None, with a doubt in the notes, if it cannot be told.

    Raises:
        TooManyStepsError: if they have so many parts that comparing them would take too long.
    """
    notes.step()
    a, b = _single(a), _single(b)
    if a == b:
        return True
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Collection) and one.kind == "same":
            return _two_forms(one, other, notes)
    rule = _RULES.get((type(a), type(b)))
    return rule(a, b, notes) if rule else False


def _two_forms(form: Collection, other, notes: Notes) -> bool | None:
    """One answer in two forms: both must be the same value."""
    first, second = form.items
    equal = same_answer(first, other, notes)
    if equal is not True or same_answer(second, other, notes.aside()) is True:
        return equal
    notes.doubt("two forms that differ")
    return None


def all_same(results: Iterable[bool | None]) -> bool | None:
    """True if all are, False as soon as one is not, None if one could not be told."""
    doubt = False
    for result in results:
        if result is False:
            return False
        doubt = doubt or result is None
    return None if doubt else True


def node_of(text: Plain) -> Node | None:
    """The expression that a text is, or None."""
    try:
        return expression(text)
    except NotUnderstoodError:
        return None

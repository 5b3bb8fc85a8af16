r"""Duplicate problems: the same question in two places, or the same question with other numbers.

Two texts are compared in their normal form, which forgets how mathematics was written down (LaTeX
or plain, `\dfrac` or `/`, `√` or `sqrt`, superscript digits, case, punctuation, number words) and
keeps what it says. Three kinds of pair are told apart:

- `duplicate`: equal normal forms, hence equal numbers;
- `near`: equal numbers and nearly equal words, as two transcriptions of one question are;
- `template`: equal or nearly equal text once its numbers are masked, with other numbers.

Nearly equal is a Jaccard index of word pairs, joined exactly with the prefix filter of Chaudhuri,
Ganti and Kaushik (ICDE 2006): only texts that share one of their rarest word pairs are compared.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distil.notation.normal import mask_numbers, normal_form, numbers_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

KINDS = ("duplicate", "near", "template")
# Who keeps a duplicate: the part further from training.
RANKS = {"train": 0, "unused": 0, "validation": 1, "test": 2, "benchmark": 3}


@dataclass(frozen=True)
class Pair:
    """Two items whose texts are too alike.

    Attributes:
        kind: `duplicate`, `near` or `template`.
        score: 1 for equal forms, else the Jaccard index of their word pairs, rounded to 4 digits.
        a: id of the one item, the smaller of the two.
        b: id of the other item.
    """

    kind: str
    score: float
    a: str
    b: str


def similar_pairs(
    sets: Sequence[frozenset[Any]], threshold: float
) -> Iterable[tuple[int, int, float]]:
    """Yield every pair of sets whose Jaccard index reaches a threshold: (i, j, index), i < j.

    Exact: if |x ∩ y| / |x ∪ y| >= t, then x and y share an element among the first
    |x| - ceil(t |x|) + 1 of each, whatever order the elements are put in; rarest first leaves
    few candidates (Chaudhuri, Ganti and Kaushik, ICDE 2006).

    Args:
        sets: n sets; empty ones match nothing.
        threshold: in (0, 1].
    """
    frequency = Counter(element for elements in sets for element in elements)
    index: dict[Any, list[int]] = defaultdict(list)
    for j, elements in enumerate(sets):
        ordered = sorted(elements, key=lambda element: (frequency[element], element))
        size = len(ordered)
        prefix = ordered[: size - math.ceil(threshold * size - 1e-9) + 1] if size else []
        for i in sorted({i for element in prefix for i in index[element]}):
            other = sets[i]
            if min(size, len(other)) >= threshold * max(size, len(other)) - 1e-9:
                shared = len(elements & other)
                score = shared / (size + len(other) - shared)
                if score >= threshold - 1e-9:
                    yield i, j, score
        for element in prefix:
            index[element].append(j)


def find_pairs(texts: Mapping[str, str], threshold: float = 0.7) -> list[Pair]:
    """Find all groups of alike questions, as pairs, in time near to linear in their number.

    Duplicates and templates are listed as the spanning tree of their group: m members give m - 1
    pairs, so that a template used a thousand times does not give half a million rows. Near pairs
    are listed in full.

    Args:
        texts: id to text.
        threshold: least Jaccard index at which words are nearly equal, in (0, 1].

    Returns:
        Pairs sorted by kind, then ids.

    Raises:
        ValueError: the threshold is outside (0, 1].
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"duplicates.threshold: {threshold} is not in (0, 1]; 0.7 is usual")
    forms: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for key in sorted(texts):
        # A question that failed to be read is not the same question as another that failed.
        if form := normal_form(texts[key]):
            forms[form].append(key)
    pairs = [Pair("duplicate", 1.0, ids[0], other) for ids in forms.values() for other in ids[1:]]
    near = _near_pairs(forms, threshold)
    pairs += near + _template_pairs(forms, near, threshold)
    return sorted(pairs, key=lambda pair: (KINDS.index(pair.kind), pair.a, pair.b))


def group(ids: Iterable[str], pairs: Iterable[Pair], kinds: Iterable[str]) -> dict[str, str]:
    """Join items linked by pairs of some kinds: id to the smallest id of its group."""
    parent = {key: key for key in sorted(ids)}
    wanted = set(kinds)
    for pair in pairs:
        if pair.kind in wanted and pair.a in parent and pair.b in parent:
            first, second = sorted((_root(parent, pair.a), _root(parent, pair.b)))
            parent[second] = first
    return {key: _root(parent, key) for key in parent}


def assign_pairs(
    pairs: Sequence[Pair], parts: Mapping[str, str], remove: Iterable[str] = ("duplicate", "near")
) -> list[dict[str, Any]]:
    """Say of each pair where its two ends lie, and which end leaves its part.

    Of two alike questions in different parts the one nearer to training is removed: from train
    before validation, from validation before test and benchmarks. Nothing is ever removed from
    test or a benchmark, and nothing for a pair within one part. Duplicates are regrouped so that
    every removed question stands beside one that is kept.

    Args:
        pairs: as found by `find_pairs`.
        parts: id to `train`, `validation`, `unused`, `test` or `benchmark`.
        remove: kinds for which a question is removed; other kinds are listed only.

    Returns:
        Rows with kind, score, a, a_part, b, b_part, action (`removed` or `listed`) and removed
        (an id or None), sorted by kind and ids. `a` is the end nearer to training.
    """
    removing = set(remove)
    links = [pair for pair in pairs if pair.kind != "duplicate"]
    groups: dict[str, list[str]] = defaultdict(list)
    duplicates = [pair for pair in pairs if pair.kind == "duplicate"]
    members = {key for pair in duplicates for key in (pair.a, pair.b)}
    for key, root in group(members, duplicates, ["duplicate"]).items():
        groups[root].append(key)
    for ids in groups.values():
        kept = min(ids, key=lambda key: (-RANKS[parts[key]], key))
        links += [Pair("duplicate", 1.0, key, kept) for key in ids if key != kept]
    rows = []
    for pair in links:
        a, b = sorted((pair.a, pair.b), key=lambda key: (RANKS[parts[key]], key))
        leaves = (
            pair.kind in removing
            and RANKS[parts[a]] < RANKS[parts[b]]
            and parts[a] in ("train", "validation")
        )
        rows.append(
            {
                "kind": pair.kind,
                "score": pair.score,
                "a": a,
                "a_part": parts[a],
                "b": b,
                "b_part": parts[b],
                "action": "removed" if leaves else "listed",
                "removed": a if leaves else None,
            }
        )
    return sorted(rows, key=lambda row: (KINDS.index(row["kind"]), row["a"], row["b"]))


def _near_pairs(forms: Mapping[tuple[str, ...], list[str]], threshold: float) -> list[Pair]:
    # Only texts with the same numbers are compared.
    blocks: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
    for form in forms:
        blocks[tuple(sorted(numbers_of(form)))].append(form)
    found = []
    for block in blocks.values():
        for i, j, score in similar_pairs([_word_pairs(form) for form in block], threshold):
            for first in forms[block[i]]:
                for second in forms[block[j]]:
                    a, b = sorted((first, second))
                    found.append(Pair("near", round(score, 4), a, b))
    return found


def _template_pairs(
    forms: Mapping[tuple[str, ...], list[str]], near: Sequence[Pair], threshold: float
) -> list[Pair]:
    templates: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for form, ids in forms.items():
        templates[mask_numbers(form)].append(ids[0])
    masks = sorted(templates)
    found = []
    for mask in masks:
        first, *rest = sorted(templates[mask])
        found += [Pair("template", 1.0, first, other) for other in rest]
    heads = [min(templates[mask]) for mask in masks]
    # Near texts belong together already, and have the same numbers: no template pair for them.
    roots = group((ids[0] for ids in forms.values()), [*found, *near], ("template", "near"))
    for i, j, score in similar_pairs([_word_pairs(mask) for mask in masks], threshold):
        first, second = sorted((_root(roots, heads[i]), _root(roots, heads[j])))
        if first != second:
            roots[second] = first
            a, b = sorted((heads[i], heads[j]))
            found.append(Pair("template", round(score, 4), a, b))
    return found


def _word_pairs(tokens: Sequence[str]) -> frozenset[tuple[str, str]]:
    return frozenset(zip(("", *tokens), (*tokens, ""), strict=True))


def _root(parent: dict[str, str], key: str) -> str:
    while parent[key] != key:
        parent[key] = parent[parent[key]]
        key = parent[key]
    return key

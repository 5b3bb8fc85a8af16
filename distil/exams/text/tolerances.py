"""Tolerances of the geometry of mathematics, by pass, each with the observation behind it.

Values are in units of the font size unless the name ends in `_pt` (points), `_ratio` (of two font
sizes), `_share` (of another length, named in the comment) or `_order` (characters in the file). TeX
numbers are those of Computer Modern's fonts of symbols: a superscript is raised by .29 to .41, a
subscript lowered by .15 to .25, the axis is .25 above the baseline, limits keep .11 to .17 from
their sign and their baselines .2 above and .6 below it, numerators stand .39 to .68 above the
baseline, denominators .35 to .69 below it. Where no source is named, a value lies in the gap that
the papers of the benchmark and the typeset expressions of the tests leave between the two cases.
"""

from __future__ import annotations

from dataclasses import dataclass

# Height of bars, big operators and tall delimiters above the baseline. TeX: .25; Word, typst: .25
# to .26.
AXIS = 0.25
# Glyphs of one line: baselines of fonts that are mixed on a line differ by up to a tenth.
SAME_BASE = 0.14
# Scripts are set at .7 of the size, in small sizes at .83; two fonts of one line differ by less.
SCRIPT_RATIO = 0.87
# A space between words is .25 to .33 wide, TeX's thin space .17, a kern less than .1.
WORD_GAP = 0.13
# Columns of a matrix stand at least so far apart; signs of operation have .22 beside them.
COLUMN_GAP = 0.42


@dataclass(frozen=True, slots=True)
class JoinTolerances:
    """Glyph joins."""

    # Office programs stretch brackets by the font size: so much bigger than its neighbours.
    grown: float = 1.25
    # Big operators come from larger fonts; what is set beside them is of the text's size.
    operator_size: float = 1.1
    # A bracket of the text font is 1.0 high; the next size of TeX's is 1.2 times as high.
    tall: float = 1.25
    # Glyphs of TeX's extension font hang: the baseline is at their top, within .2 of the height.
    hanging_height: float = 0.9
    hanging_base: float = 0.2
    # Pieces of one code start at one left edge, and each lower by more than overprinting for bold.
    stack_edge: float = 0.05
    stack_step: float = 0.1
    stack_gap: float = 0.15
    # Pieces of TeX's extension font: a middle piece of a brace is off by its point.
    piece_middle: float = 0.35
    piece_gap: float = 0.35
    # Pieces come sorted from the top; rounding may turn two round.
    piece_order: float = 0.1
    # A slash and its relation have one baseline; the slash of a division has a quarter beside it.
    overlay_base: float = 0.2
    overlay_share: float = 0.5  # of the narrower one's width
    tilde_middle: float = 0.1
    tail_gap: float = 0.3
    tail_base: float = 0.1
    # Word sets the bar of a repeating decimal a line above, one glyph for several digits.
    bar_reach: float = 1.2
    bar_overlap: float = 0.1
    bar_middle: float = 0.12
    digit_base: float = 0.05
    digit_gap: float = 0.1
    # An accent is centred on its letter within .6 of the width; i is narrower than any accent.
    narrow: float = 0.2
    accent_middle: float = 0.6
    accent_base: float = 0.8
    # Its ink is above the x-height (.43): of the letter's ink at most a quarter stands beside it.
    accent_above: float = 0.3
    accent_overlap: float = 0.25
    # Letters of one word touch: sidebearings are under a tenth.
    word_base: float = 0.1
    word_gap: float = 0.1
    # Three dots: TeX's stand .4 (upright) and .25 (slanted) under each other.
    dots_even: float = 0.05
    dots_least: float = 0.2
    dots_most: float = 0.6
    dots_across: float = 0.7


@dataclass(frozen=True, slots=True)
class LimitTolerances:
    """Limits of big operators and of words, arrows over letters."""

    # A long arrow's shaft is made of minus signs that overlap or touch.
    shaft_level: float = 0.1
    shaft_gap: float = 0.15
    # An arrow over letters is as wide as they are, centred, and under .4 above them.
    arrow_reach: float = 0.8
    arrow_edge: float = 0.15
    arrow_overlap: float = 0.1
    arrow_gap: float = 0.4
    arrow_middle: float = 0.4
    # Limits stand within TeX's .2 and .6 and their own height.
    reach_up: float = 1.3
    reach_down: float = 1.5
    edge: float = 0.1
    overlap: float = 0.3
    base_overlap: float = 0.15
    base_above: float = 0.75
    top_below: float = 0.7
    base_below: float = 0.2
    # Of two rows over a sign the nearer is its limit: baselines of scripts are .7 apart at least.
    one_limit: float = 0.7
    one_base: float = 0.2
    # Neighbours in a limit: its spaces are thick at most (.28 of the text's size).
    row_gap: float = 0.35
    row_up: float = 0.8
    row_down: float = 0.5
    row_size: float = 1.05
    # A limit is centred on its sign, but for the slant of an integral's.
    middle: float = 0.3
    # A sign and its limits stand at most so many characters apart in the file.
    far_in_file: int = 45
    # A sign of another line that a row could belong to as well.
    other_line: float = 0.5
    other_beside: float = 3.0
    other_reach: float = 1.6
    # A script of the letter before: next to it, raised or lowered by less than a line.
    script_overlap: float = 0.15
    script_gap: float = 0.3
    script_least: float = 0.05
    script_most: float = 0.8
    # Letters of lim, max, min: one size, one baseline.
    word_alike: float = 0.05
    word_overlap: float = 0.1
    # What stands under lim: TeX's baseline is .6 + the limit's height below, at most 1.2.
    under_reach: float = 1.4
    under_least: float = 0.4
    under_most: float = 1.35
    under_middle: float = 0.4


@dataclass(frozen=True, slots=True)
class BarTolerances:
    """Fractions, radicals, overlines and frames."""

    # Rules drawn in pieces or twice, as TeX does for long bars.
    same_rule_pt: float = 0.2
    # \\boxed and \\fbox: four rules whose corners meet; a page's border is higher.
    frame_edge_pt: float = 1.0
    corner_pt: float = 1.5
    frame_least_pt: float = 4.0
    frame_most_pt: float = 80.0
    adjoin_pt: float = 2.0
    inside_pt: float = 1.0
    # A box around an expression: one around a whole line of text is a frame.
    box_width_pt: float = 300.0
    box_height: float = 6.0
    # The root sign ends where its bar starts, and its top is the bar; tall ones reach 60 points.
    sign_above_pt: float = 3.0
    sign_below_pt: float = 60.0
    sign_end: float = 0.22
    sign_top: float = 0.25
    # Only the hook of a sign made of pieces: at the foot, up to five sizes under the bar.
    hook_overlap: float = 0.1
    hook_gap: float = 0.45
    hook_below: float = 5.0
    # What stands under a root's bar: below it, over the sign's foot.
    root_top_pt: float = 0.5
    root_reach: float = 0.3
    root_left: float = 0.15
    root_right: float = 0.1
    root_overlap: float = 0.2
    root_base: float = 0.25
    # TeX sets a root's index .6 of the way up the sign, .56 before its right end.
    index_reach: float = 0.6
    index_right: float = 0.1
    index_left: float = 0.9
    index_share: float = 0.62  # of the sign's width
    index_depth: float = 0.66  # of the sign's height
    index_middle: float = 0.35
    index_above: float = 0.1
    # A superscript of the letter before the sign, which is no index.
    host_ratio: float = 1.15
    host_overlap: float = 0.15
    host_gap: float = 0.2
    index_hosted: float = 0.05
    index_free: float = 0.15
    # Fonts of the smallest style: rounding of the size only.
    same_size: float = 1.02
    # Bars across the page are rules of tables.
    fraction_width_pt: float = 500.0
    # An underline keeps less than .17 from the baseline; a numerator at least .2.
    underline: float = 0.17
    # Rows may be wider than their bar by TeX's null delimiter (1.2 pt), and are centred on it.
    past_bar: float = 0.3
    off_centre: float = 0.7
    off_centre_share: float = 0.35  # of the bar's length
    bar_past: float = 1.2
    bar_past_share: float = 0.25  # of the bar's length
    # Letters of a word that goes on past the bar: sidebearings.
    letter_gap: float = 0.09
    letter_base: float = 0.05
    # Words beside a row: a space is .33 wide, stretched to half; two letters make a word.
    sentence_reach: float = 2.0
    word_letters: int = 3
    # A row stands on its bar: TeX keeps .12 at least, .69 at most before the ink of the next.
    row_reach_pt: float = 60.0
    row_edge: float = 0.12
    row_gap: float = 0.75
    row_overlap: float = 0.35
    letter_middle: float = 0.3
    same_base: float = 0.2
    same_axis: float = 0.3
    # The biggest of the closest glyphs give a row's baseline: a minus is .35 above the ink's foot.
    closest: float = 0.35
    edge: float = 0.1
    host_reach: float = 0.8
    host_left: float = 0.6
    host_right: float = 0.3
    host_order: int = 9
    # Scripts of a row, and no lines beyond it.
    script_up: float = 1.1
    script_down: float = 0.6
    script_depth: float = 0.5
    crowded: float = 0.4
    # Scripts as big as what they belong to: raised or lowered, close to their host.
    last_least: float = 0.1
    last_most: float = 0.75
    last_overlap: float = 0.15
    last_gap: float = 0.35
    # An overline keeps three times its thickness (.12) from the ink, and both end together.
    over_reach_pt: float = 20.0
    over_gap: float = 0.4
    over_below: float = 0.3
    over_depth: float = 0.5
    over_edge: float = 0.35
    over_width: float = 8.0
    # A line of text right above: then the rule underlines that.
    line_reach: float = 0.45
    line_above: float = 0.05
    line_gap: float = 0.35


@dataclass(frozen=True, slots=True)
class LineTolerances:
    """Line assembly and scripts."""

    # Office programs set formulas up to .28 off the line, in their own size.
    body_ratio: float = 0.95
    off_line_ratio: float = 0.78
    off_line_overlap: float = 0.2
    # A piece on the axis is of the line with that axis; its size is the line's or .7 of it.
    far: float = 6.0
    fraction_axis: float = 0.16
    piece_axis: float = 0.3
    fraction_least: float = 0.45
    fraction_most: float = 1.6
    # Glyphs of one run: one baseline but for rounding, at most a quad apart.
    row_base: float = 0.07
    run_gap: float = 1.0
    letter_gap: float = 0.08
    divider_edge: float = 0.1
    divider_reach: float = 0.35
    # Where a script's host is looked for, and how close its right end is.
    host_above: float = 1.2
    host_below: float = 1.6
    script_overlap: float = 0.4
    script_gap: float = 0.35
    tall_script: float = 1.05
    same_size: float = 1.02
    # The file has a script right after its host, unless it has two.
    not_next: float = 0.15
    # The largest raised text in units of the usual size: WeasyPrint sets it at .89.
    script_most: float = 0.93
    # Scripts of letters: TeX raises by .29 to .41 and lowers by .15 to .25, more for tall scripts.
    sup_least: float = 0.16
    sup_most: float = 0.95
    sup_usual: float = 0.4
    sub_least: float = 0.06
    sub_most: float = 0.62
    sub_usual: float = 0.2
    # Scripts of tall pieces stand at their corners (TeX: .39 below the top, .05 below the foot).
    corner_up: float = 0.75
    corner_down: float = 0.35
    corner_base: float = 0.2
    corner_far: float = 1.0
    # A matrix as a subscript: its top is at the height of small letters.
    block_overlap: float = 0.1
    block_gap: float = 0.3
    block_top: float = 0.7
    block_depth: float = 0.5


@dataclass(frozen=True, slots=True)
class BlockTolerances:
    """Matrices, binomials and cases."""

    # A pair of delimiters has one axis and one height.
    pair_alike: float = 0.2  # of the height
    inside_across: float = 0.2
    inside_along: float = 0.1
    operator_axis: float = 0.1
    # Text that goes on after the rows of a brace stands on the baseline, a quad away.
    brace_base: float = 0.12
    brace_clear: float = 1.0
    # Parentheses of text around the two rows of a binomial in text style.
    bracket_base: float = 0.05
    bracket_apart: float = 8.0
    bracket_reach: float = 0.5
    bracket_edge: float = 0.1
    row_axis: float = 0.05
    row_overlap: float = 0.2
    # Cells of one row of a matrix: fonts that are mixed differ by less than .3.
    row_base: float = 0.3
    cell_gap: float = 0.7
    # Distance of two rows' baselines, see `matrices.is_vector`.
    matrix_pitch: float = 1.26
    vector_pitch: float = 1.24


@dataclass(frozen=True, slots=True)
class WordTolerances:
    """Spaces and function names in a line."""

    # A space in the file counts where it is not closed up by a kern.
    spaced_gap: float = 0.02
    # A minus with a space before and hardly any after is a sign of a number.
    sign_behind: float = 0.4  # of the space before
    # Letters of one word touch.
    letter_gap: float = 0.05
    # A function's argument is a word space away at most.
    argument_gap: float = 0.6


JOINS = JoinTolerances()
LIMITS = LimitTolerances()
BARS = BarTolerances()
LINES = LineTolerances()
BLOCKS = BlockTolerances()
WORDS = WordTolerances()

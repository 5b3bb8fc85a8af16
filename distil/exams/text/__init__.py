"""Pages with a text layer: characters with their places to lines of LaTeX.

- `page`: glyphs, rules and boxes of a page as data.
- `glyphs`: a page filled from a PDF, as PDFium gives its characters.
- `paths`: rules, frames and root signs among what a page draws.
- `typefaces`: what a font's character codes stand for.
- `symbols`: the letter and the LaTeX of one character.
- `items`: glyphs and finished pieces, and the regions that own them.
- `tolerances`: the named lengths of the geometry.
- `mathematics`: the passes below, in their order.
- `joins`: glyphs printed as several.
- `limits`: big operators and words with limits.
- `bars`: fractions, radicals, overlines and boxes.
- `matrices`: rows between tall delimiters.
- `lines`: baselines and scripts.
- `rendering`: the text of a line.
- `columns`: columns of a page, marks in margins, numbers in cells of their own.
- `layout`: lines of a page in reading order.
"""

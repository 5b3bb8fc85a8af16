"""Pages with a text layer: characters with their places to lines of LaTeX.

- `glyphs`: characters, rules and boxes of a page, as PDFium gives them.
- `typefaces`: what a font's character codes stand for.
- `symbols`: the letter and the LaTeX of one character.
- `mathematics`: fractions, roots, scripts and matrices from the places of characters.
- `columns`: columns of a page.
- `layout`: lines of a page in reading order.
"""

"""Pages that are pictures: pixels to the characters that the text reader takes.

- `pages`: a scanned page to characters with places.
- `ink`: ink that the characters of a page do not account for.
- `marks`: connected components and rows of a binarised page.
- `readings`: tesseract's words held against the marks.
- `structures`: fractions, roots, brackets and scripts in a scanned page.
- `shapes`: features of single characters, and the classifier's weights.
- `ink`: ink that characters do not account for.
- `third_reading`: an optional reader of whole lines.
- `lettering`: training of that classifier from fonts.
"""

"""The public release that accompanies the paper.

- `answers`: single answers that a download holds.
- `files`: what a download holds and how its files are read.
- `transcriptions`: problems as typed in by the release's authors.
- `selection`: the problems that the published figures are over, by id and hash.
- `counts`: claims from counts alone.
- `forensics`: what published percentages and standard deviations can and cannot be.
"""

"""What a study shows: tables and figures.

- `summaries`: the tables behind the claims, and the data of the figures.
- `controls`: asked length, answers cut at caps, validation accuracy along a run.
- `multiverse`: the gain under every combination of choices.
- `graders`: how far the graders agree, and the answers to look at.
- `problem_bank`: the problems as a table, a quiz or a typeset paper.
- `terminal`: the claims in lines for a terminal, and what to type next.
- `tables`: a table as CSV, Markdown, HTML and LaTeX.
- `plots`: figures as SVG and PNG.
- `page`: the page of a study.
"""

"""Problems, one row each, with the page and the box they were read from.

In: results/STUDY/exams/YEAR-SECTION.pdf
Out: results/STUDY/problems/YEAR.jsonl
"""


rule extract_problems:
    """Read one year's papers: statements, options, answers, each with its place on the page."""
    input:
        papers=lambda wildcards: study.papers(wildcards.year),
        answer_keys=lambda wildcards: study.answer_keys(wildcards.year),
    output:
        problems="results/{study}/problems/{year}.jsonl",
    log:
        "results/{study}/logs/extract_problems/{year}.log",
    benchmark:
        "results/{study}/timings/extract_problems/{year}.tsv"
    conda:
        "../envs/study.yaml"
    params:
        settings=lambda wildcards: sorted_keys(
            {"tests": study.tests(wildcards.year), **config["problems"]}
        ),
        code=fingerprint("scripts/extract_problems.py"),
    script:
        "../scripts/extract_problems.py"

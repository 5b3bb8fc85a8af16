"""Problems, one row each, with the page and the box they were read from.

In: results/STUDY/exams/YEAR-SECTION.pdf, the study's corrections
Out: results/STUDY/extractions/YEAR.jsonl, as read; results/STUDY/problems/YEAR.jsonl, corrected:
what every later stage reads; results/STUDY/accounts/YEAR.jsonl, what became of each;
results/STUDY/excluded/YEAR.jsonl, those that are not in the study; results/STUDY/crops/YEAR.parquet,
their pictures
"""


rule extract_problems:
    """Read one year's papers: statements, options, answers, each with its place on the page."""
    input:
        papers=lambda wildcards: study.papers(wildcards.year),
        answer_keys=lambda wildcards: study.answer_keys(wildcards.year),
    output:
        extracted="results/{study}/extractions/{year}.jsonl",
    log:
        "results/{study}/logs/extract_problems/{year}.log",
    benchmark:
        "results/{study}/timings/extract_problems/{year}.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("extract_problems"),
    params:
        settings=lambda wildcards: sorted_keys(
            {
                "tests": study.tests(wildcards.year),
                "limits": config["problems"]["limits"],
                "third_reading": config["problems"].get("third_reading"),
            }
        ),
        code=fingerprint("scripts/extract_problems.py"),
    script:
        "../scripts/extract_problems.py"


rule crop_problems:
    """Cut each problem of one year, and each key, out of its page: for people and for a reader."""
    input:
        papers=lambda wildcards: study.papers(wildcards.year),
        answer_keys=lambda wildcards: study.answer_keys(wildcards.year),
        extracted="results/{study}/extractions/{year}.jsonl",
    output:
        crops="results/{study}/crops/{year}.parquet",
    log:
        "results/{study}/logs/crop_problems/{year}.log",
    benchmark:
        "results/{study}/timings/crop_problems/{year}.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("crop_problems"),
    params:
        settings=lambda wildcards: sorted_keys(
            {
                "dpi": 150,
                "limits": config["problems"]["limits"],
                "added": study.added_places(wildcards.year),
            }
        ),
        code=fingerprint("scripts/crop_problems.py"),
    script:
        "../scripts/crop_problems.py"


if study.vision:

    rule read_crops:
        """Let a vision model read the crops of one year's flagged problems, knowing no text."""
        input:
            extracted="results/{study}/extractions/{year}.jsonl",
            crops="results/{study}/crops/{year}.parquet",
            reader=study.prompt("reader.txt"),
        output:
            readings="results/{study}/readings/{year}/readings.jsonl",
            responses="results/{study}/readings/{year}/reader_responses.jsonl",
        log:
            "results/{study}/logs/read_crops/{year}.log",
        benchmark:
            "results/{study}/timings/read_crops/{year}.tsv"
        localrule: needs.local("read_crops")
        conda:
            "../envs/study.yaml"
        threads: 0  # as the agents of rules/traces.smk
        resources:
            **needs.of("read_crops"),
        params:
            settings=sorted_keys({"teacher": study.reader()}),
            store="state/{study}/teacher",
            code=fingerprint("scripts/read_crops.py"),
        script:
            "../scripts/read_crops.py"


if config["exams"]["source"] != "release":

    rule correct_problems:
        """Apply one year's human corrections; an entry whose text has changed is an error."""
        input:
            extracted="results/{study}/extractions/{year}.jsonl",
            readings=lambda wildcards: study.readings([wildcards.year]),
            transcription=lambda wildcards: study.transcription(wildcards.year),
        output:
            problems="results/{study}/problems/{year}.jsonl",
            accounts="results/{study}/accounts/{year}.jsonl",
            excluded="results/{study}/excluded/{year}.jsonl",
        log:
            "results/{study}/logs/correct_problems/{year}.log",
        benchmark:
            "results/{study}/timings/correct_problems/{year}.tsv"
        localrule: needs.local("correct_problems")
        conda:
            "../envs/study.yaml"
        resources:
            **needs.of("correct_problems"),
        params:
            settings=lambda wildcards: sorted_keys(
                {
                    "corrections": study.corrections(wildcards.year),
                    "file": study.corrections_file(wildcards.year),
                    "prefer": study.prefer,
                    "refuse": study.refuse,
                    "source": study.problem_source,
                    "selected": study.selected(wildcards.year),
                }
            ),
            code=fingerprint("scripts/correct_problems.py"),
            sources=lambda wildcards: contents(*study.transcription(wildcards.year)),
        script:
            "../scripts/correct_problems.py"

    rule tabulate_problems:
        """Account for every problem that was read, typed in or selected, each with its reason."""
        input:
            accounts=study.accounts(),
        output:
            accounts=[
                "results/{study}/tables/problems.csv",
                "results/{study}/tables/problems.md",
                "results/{study}/tables/problems.rows.parquet",
                report(
                    "results/{study}/tables/problems.html",
                    caption="../report/problems.rst",
                    category="Problems",
                    labels={"table": "what became of every problem"},
                ),
            ],
        log:
            "results/{study}/logs/tabulate_problems.log",
        benchmark:
            "results/{study}/timings/tabulate_problems.tsv"
        localrule: needs.local("tabulate_problems")
        conda:
            "../envs/study.yaml"
        resources:
            **needs.of("tabulate_problems"),
        params:
            settings=sorted_keys(
                {"title": config["title"], "absent": study.absent_problems()}
            ),
            code=fingerprint("scripts/tabulate_problems.py"),
        script:
            "../scripts/tabulate_problems.py"


rule review_problems:
    """Write the flagged problems beside their crops on one page, and corrections to fill in."""
    input:
        extracted=study.extractions(),
        readings=study.readings(study.extracted_years),
        crops=study.crops(),
    output:
        page=report(
            "results/{study}/review/problems.html",
            caption="../report/review.rst",
            category="Problems",
            labels={"page": "flagged problems beside their pictures"},
        ),
        corrections="results/{study}/review/corrections.yaml",
    log:
        "results/{study}/logs/review_problems.log",
    benchmark:
        "results/{study}/timings/review_problems.tsv"
    localrule: needs.local("review_problems")
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("review_problems"),
    params:
        settings=sorted_keys(
            {
                "corrections": study.all_corrections(),
                "sections": config["exams"]["sections"],
                "title": config["title"],
                "prefer": study.prefer,
                "refuse": study.refuse,
            }
        ),
        code=fingerprint("scripts/review_problems.py"),
    script:
        "../scripts/review_problems.py"

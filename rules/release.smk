"""The public release, re-analysed: the same stages, as far as its files reach.

In: a download of the release (config.released.yaml: exams.folder), resources/published.yaml
Out: results/STUDY/problems/YEAR.jsonl, datasets, grades, claims and tables, as of the other studies
Named targets: results/STUDY/tables/extraction.csv (make released-scans), for which the release's
scans are read, and results/STUDY/review/problems.html; both take minutes and need tesseract
"""


rule import_transcriptions:
    """Turn the release's transcribed questions into problems."""
    input:
        transcriptions=study.transcriptions(),
    output:
        problems=expand("results/{{study}}/problems/{year}.jsonl", year=study.years),
    log:
        "results/{study}/logs/import_transcriptions.log",
    benchmark:
        "results/{study}/timings/import_transcriptions.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("import_transcriptions"),
    params:
        settings={"years": study.years},
        code=fingerprint("scripts/import_transcriptions.py"),
        sources=contents(*study.transcriptions()),
    script:
        "../scripts/import_transcriptions.py"


rule tabulate_extraction:
    """Hold what is read from the release's scans against its transcription, problem by problem."""
    input:
        extracted=study.extractions(),
        problems=study.problems(),
    output:
        csv="results/{study}/tables/extraction.csv",
        summary="results/{study}/tables/extraction_summary.csv",
        markdown="results/{study}/tables/extraction_summary.md",
        html=report(
            "results/{study}/tables/extraction_summary.html",
            caption="../report/extraction.rst",
            category="Problems",
            labels={"table": "extraction against transcription"},
        ),
    log:
        "results/{study}/logs/tabulate_extraction.log",
    benchmark:
        "results/{study}/timings/tabulate_extraction.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("tabulate_extraction"),
    params:
        settings={"title": config["title"]},
        code=fingerprint("scripts/tabulate_extraction.py"),
    script:
        "../scripts/tabulate_extraction.py"


rule audit_release_splits:
    """Look for the evaluated questions in the files that the release trained on."""
    input:
        problems=study.problems(),
        train=study.split_files("train"),
        validation=study.split_files("validation"),
        test=study.split_files("test"),
    output:
        audit="results/{study}/datasets/audit.jsonl",
        summary=report(
            "results/{study}/tables/splits.csv",
            caption="../report/release_splits.rst",
            category="Datasets",
            labels={"table": "evaluated questions in the training files"},
        ),
        markdown="results/{study}/tables/splits.md",
        rows="results/{study}/tables/splits.rows.parquet",
    log:
        "results/{study}/logs/audit_release_splits.log",
    benchmark:
        "results/{study}/timings/audit_release_splits.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("audit_release_splits"),
    params:
        settings={"sets": study.sets},
        code=fingerprint("scripts/audit_release_splits.py"),
        sources=contents(
            *study.split_files("train"),
            *study.split_files("validation"),
            *study.split_files("test"),
        ),
    script:
        "../scripts/audit_release_splits.py"


rule import_release_counts:
    """Gather every count that the release or a published percentage gives, with its source."""
    input:
        **study.tables(),
        problems=study.problems(),
        audit="results/{study}/datasets/audit.jsonl",
        splits="results/{study}/tables/splits.csv",
        published="resources/published.yaml",
    output:
        counts="results/{study}/grades/counts.parquet",
        losses="results/{study}/adapters/losses.parquet",
    log:
        "results/{study}/logs/import_release_counts.log",
    benchmark:
        "results/{study}/timings/import_release_counts.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("import_release_counts"),
    params:
        settings={},
        code=fingerprint("scripts/import_release_counts.py"),
        sources=contents(*study.tables().values(), "resources/published.yaml"),
    script:
        "../scripts/import_release_counts.py"


rule measure_release_levels:
    """Measure the words of each level's traces beside the accuracy of its adapter (Q4)."""
    input:
        problems=study.problems(),
        counts="results/{study}/grades/counts.parquet",
        chains=study.tables()["chains"],
        level_runs=study.tables()["level_runs"],
    output:
        levels="results/{study}/grades/levels.parquet",
        csv=report(
            "results/{study}/tables/levels.csv",
            caption="../report/release_levels.rst",
            category="Response length",
            labels={"table": "words and accuracy by level and section"},
        ),
        markdown="results/{study}/tables/levels.md",
        rows="results/{study}/tables/levels.rows.parquet",
    log:
        "results/{study}/logs/measure_release_levels.log",
    benchmark:
        "results/{study}/timings/measure_release_levels.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("measure_release_levels"),
    params:
        settings={},
        code=fingerprint("scripts/measure_release_levels.py"),
        sources=contents(study.tables()["chains"], study.tables()["level_runs"]),
    script:
        "../scripts/measure_release_levels.py"


rule grade_release_answers:
    """Grade every single answer that the release holds, beside its own judge's verdict."""
    input:
        problems=study.problems(),
        files=study.answer_files(),
    output:
        answers="results/{study}/grades/release_answers.parquet",
        runs=[
            "results/{study}/tables/runs.csv",
            "results/{study}/tables/runs.md",
            "results/{study}/tables/runs.rows.parquet",
            report(
                "results/{study}/tables/runs.html",
                caption="../report/release_runs.rst",
                category="Answers",
                labels={"table": "single answers of the release"},
            ),
        ],
        agreement=[
            "results/{study}/tables/agreement.csv",
            "results/{study}/tables/agreement.md",
            "results/{study}/tables/agreement.rows.parquet",
            report(
                "results/{study}/tables/agreement.html",
                caption="../report/agreement.rst",
                category="Answers",
                labels={"table": "agreement of the graders"},
            ),
        ],
        disagreements=[
            "results/{study}/tables/disagreements.csv",
            "results/{study}/tables/disagreements.md",
            "results/{study}/tables/disagreements.rows.parquet",
            report(
                "results/{study}/tables/disagreements.html",
                caption="../report/disagreements.rst",
                category="Answers",
                labels={"table": "answers to look at"},
            ),
        ],
    log:
        "results/{study}/logs/grade_release_answers.log",
    benchmark:
        "results/{study}/timings/grade_release_answers.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("grade_release_answers"),
    params:
        settings=sorted_keys(
            {
                "title": config["title"],
                "folder": study.folder,
                "alpha": config["claims"]["alpha"],
            }
        ),
        code=fingerprint("scripts/grade_release_answers.py"),
        sources=contents(*study.answer_files()),
    script:
        "../scripts/grade_release_answers.py"


rule judge_release_claims:
    """Judge each claim as far as the release's counts allow, and check the published figures."""
    input:
        counts="results/{study}/grades/counts.parquet",
        losses="results/{study}/adapters/losses.parquet",
        levels="results/{study}/grades/levels.parquet",
        answers="results/{study}/grades/release_answers.parquet",
        published="resources/published.yaml",
    output:
        claims=[
            "results/{study}/claims/claims.csv",
            "results/{study}/claims/claims.md",
            "results/{study}/claims/claims.tex",
            "results/{study}/claims/rows.parquet",
            report(
                "results/{study}/claims/claims.html",
                caption="../report/release_claims.rst",
                category="Claims",
                labels={"table": "claims"},
            ),
        ],
        forensics=[
            "results/{study}/tables/forensics.csv",
            "results/{study}/tables/forensics.md",
            "results/{study}/tables/forensics.rows.parquet",
            report(
                "results/{study}/tables/forensics.html",
                caption="../report/forensics.rst",
                category="Claims",
                labels={"table": "published figures held against each other"},
            ),
        ],
    log:
        "results/{study}/logs/judge_release_claims.log",
    benchmark:
        "results/{study}/timings/judge_release_claims.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("judge_release_claims"),
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/judge_release_claims.py"),
        sources=contents("resources/published.yaml"),
    script:
        "../scripts/judge_release_claims.py"

"""Training and validation rows by fold, with the duplicates that were kept out of them.

In: problems and traces of all years, benchmarks
Out: results/STUDY/datasets/FOLD/VARIANT/train.jsonl, validation.jsonl, duplicates.csv
"""


rule cluster_problems:
    """Group problems that are duplicates or share a template: the units that statistics resample."""
    input:
        problems=study.problems(),
        benchmarks=study.benchmark_files(),
    output:
        clusters="results/{study}/datasets/clusters.parquet",
    log:
        "results/{study}/logs/cluster_problems.log",
    benchmark:
        "results/{study}/timings/cluster_problems.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("cluster_problems"),
    params:
        settings={},
        code=fingerprint("scripts/cluster_problems.py"),
    script:
        "../scripts/cluster_problems.py"


# A checkpoint, because its train and validation rows mostly stay the same when a test paper
# changes: what reads them through `training_rows` is compared by content after this job has run,
# and identical bytes train nothing.
checkpoint split_datasets:
    """Split one fold's traces by year, without duplicates across parts or benchmarks."""
    input:
        problems=study.problems(),
        traces=lambda wildcards: study.traces(wildcards.fold),
        benchmarks=study.benchmark_files(),
        student=study.prompt("student.txt"),
        levels=study.prompt("levels.yaml"),
        system=lambda wildcards: study.system_prompt(wildcards.variant),
    output:
        train="results/{study}/datasets/{fold}/{variant}/train.jsonl",
        validation="results/{study}/datasets/{fold}/{variant}/validation.jsonl",
        duplicates="results/{study}/datasets/{fold}/{variant}/duplicates.csv",
        parts="results/{study}/datasets/{fold}/{variant}/parts.csv",
    log:
        "results/{study}/logs/split_datasets/{fold}/{variant}.log",
    benchmark:
        "results/{study}/timings/split_datasets/{fold}/{variant}.tsv"
    localrule: needs.local("split_datasets")
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("split_datasets"),
    params:
        settings=lambda wildcards: sorted_keys(
            {
                "folds": {wildcards.fold: study.folds[wildcards.fold]},
                "levels": study.levels,
                **config["datasets"],
            }
        ),
        code=fingerprint("scripts/split_datasets.py"),
        sources=lambda wildcards: contents(
            study.prompt("student.txt"),
            study.prompt("levels.yaml"),
            *study.system_prompt(wildcards.variant),
        ),
    script:
        "../scripts/split_datasets.py"


rule tabulate_splits:
    """Count problems and rows by fold, part, year, section and level (Q3)."""
    input:
        problems=study.problems(),
        parts=expand(
            "results/{{study}}/datasets/{fold}/{variant}/parts.csv",
            fold=study.folds,
            variant=study.variants,
        ),
    output:
        csv=report(
            "results/{study}/tables/splits.csv",
            caption="../report/splits.rst",
            category="Datasets",
            labels={"table": "split sizes"},
        ),
        markdown="results/{study}/tables/splits.md",
        rows="results/{study}/tables/splits.rows.parquet",
    log:
        "results/{study}/logs/tabulate_splits.log",
    benchmark:
        "results/{study}/timings/tabulate_splits.tsv"
    localrule: needs.local("tabulate_splits")
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("tabulate_splits"),
    params:
        settings={},
        code=fingerprint("scripts/tabulate_splits.py"),
    script:
        "../scripts/tabulate_splits.py"

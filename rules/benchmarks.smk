"""Benchmarks that the students are examined on besides the competition.

In: files of the user's, with their sha256
Out: results/STUDY/benchmarks/BENCHMARK.jsonl
"""


rule import_benchmark:
    """Turn a benchmark from a file of the user's, checked by sha256, into problem rows."""
    input:
        file=lambda wildcards: study.present_file(
            config["benchmark_files"][wildcards.benchmark]["file"]
        ),
    output:
        problems="results/{study}/benchmarks/{benchmark}.jsonl",
    log:
        "results/{study}/logs/import_benchmark/{benchmark}.log",
    benchmark:
        "results/{study}/timings/import_benchmark/{benchmark}.tsv"
    wildcard_constraints:
        benchmark="|".join(config["benchmark_files"]) or "none",
    localrule: needs.local("import_benchmark")
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("import_benchmark"),
    params:
        settings=lambda wildcards: {
            "sha256": config["benchmark_files"][wildcards.benchmark]["sha256"]
        },
        code=fingerprint("scripts/import_benchmark.py"),
        sources=lambda wildcards: contents(
            config["benchmark_files"][wildcards.benchmark]["file"]
        ),
    script:
        "../scripts/import_benchmark.py"

"""Claims tested, tables and figures.

In: results/STUDY/grades/answers.parquet, stops, validation curves, the published figures
Out: results/STUDY/claims/claims.csv, .md, .html, .tex; results/STUDY/tables; results/STUDY/figures
"""


rule test_claims:
    """Test each claim within its estimand, with Holm's correction, and say what follows."""
    input:
        answers="results/{study}/grades/answers.parquet",
        stops=study.stops(),
        curves=study.curves(),
        published="resources/published.yaml",
    output:
        csv="results/{study}/claims/claims.csv",
        markdown="results/{study}/claims/claims.md",
        html=report(
            "results/{study}/claims/claims.html",
            caption="../report/claims.rst",
            category="Claims",
            labels={"table": "claims"},
        ),
        latex="results/{study}/claims/claims.tex",
        rows="results/{study}/claims/rows.parquet",
    log:
        "results/{study}/logs/test_claims.log",
    benchmark:
        "results/{study}/timings/test_claims.tsv"
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/test_claims.py"),
    script:
        "../scripts/test_claims.py"


rule tabulate_levels:
    """Tabulate mean words and accuracy by response length and section (Q4)."""
    input:
        answers="results/{study}/grades/answers.parquet",
        stops=study.stops(),
    output:
        csv="results/{study}/tables/levels.csv",
        markdown="results/{study}/tables/levels.md",
        html=report(
            "results/{study}/tables/levels.html",
            caption="../report/levels.rst",
            category="Response length",
            labels={"table": "words and accuracy by level and section"},
        ),
    log:
        "results/{study}/logs/tabulate_levels.log",
    benchmark:
        "results/{study}/timings/tabulate_levels.tsv"
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/tabulate_levels.py"),
    script:
        "../scripts/tabulate_levels.py"


rule tabulate_seeds:
    """Tabulate each seed's gain over the base, and the pooled gain (Q2)."""
    input:
        answers="results/{study}/grades/answers.parquet",
        stops=study.stops(),
    output:
        csv="results/{study}/tables/seeds.csv",
        markdown="results/{study}/tables/seeds.md",
        html=report(
            "results/{study}/tables/seeds.html",
            caption="../report/seeds.rst",
            category="Gain",
            labels={"table": "gain by seed"},
        ),
    log:
        "results/{study}/logs/tabulate_seeds.log",
    benchmark:
        "results/{study}/timings/tabulate_seeds.tsv"
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/tabulate_seeds.py"),
    script:
        "../scripts/tabulate_seeds.py"


rule tabulate_stops:
    """Tabulate the gain under each way to choose the stop (Q1)."""
    input:
        answers="results/{study}/grades/answers.parquet",
        stops=study.stops(),
    output:
        csv="results/{study}/tables/stops.csv",
        markdown="results/{study}/tables/stops.md",
        html=report(
            "results/{study}/tables/stops.html",
            caption="../report/stops.rst",
            category="Stops",
            labels={"table": "gain by stop"},
        ),
    log:
        "results/{study}/logs/tabulate_stops.log",
    benchmark:
        "results/{study}/timings/tabulate_stops.tsv"
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/tabulate_stops.py"),
    script:
        "../scripts/tabulate_stops.py"

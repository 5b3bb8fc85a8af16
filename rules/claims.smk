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
        settled=predictions_settled,
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
    conda:
        "../envs/study.yaml"
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/test_claims.py"),
        sources=contents("resources/published.yaml"),
    script:
        "../scripts/test_claims.py"


rule tabulate_levels:
    """Tabulate mean words and accuracy by response length and section (Q4)."""
    input:
        answers="results/{study}/grades/answers.parquet",
        stops=study.stops(),
        settled=predictions_settled,
    output:
        csv="results/{study}/tables/levels.csv",
        markdown="results/{study}/tables/levels.md",
        rows="results/{study}/tables/levels.rows.parquet",
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
    conda:
        "../envs/study.yaml"
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
        settled=predictions_settled,
    output:
        csv="results/{study}/tables/seeds.csv",
        markdown="results/{study}/tables/seeds.md",
        rows="results/{study}/tables/seeds.rows.parquet",
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
    conda:
        "../envs/study.yaml"
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
        settled=predictions_settled,
    output:
        csv="results/{study}/tables/stops.csv",
        markdown="results/{study}/tables/stops.md",
        rows="results/{study}/tables/stops.rows.parquet",
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
    conda:
        "../envs/study.yaml"
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/tabulate_stops.py"),
    script:
        "../scripts/tabulate_stops.py"


rule tabulate_leakage:
    """Tabulate accuracy and gain on questions trained on, validated on and held out."""
    input:
        answers="results/{study}/grades/answers.parquet",
        stops=study.stops(),
        settled=predictions_settled,
    output:
        csv="results/{study}/tables/leakage.csv",
        markdown="results/{study}/tables/leakage.md",
        rows="results/{study}/tables/leakage.rows.parquet",
        html=report(
            "results/{study}/tables/leakage.html",
            caption="../report/leakage.rst",
            category="Gain",
            labels={"table": "in sample and held out"},
        ),
    log:
        "results/{study}/logs/tabulate_leakage.log",
    benchmark:
        "results/{study}/timings/tabulate_leakage.tsv"
    conda:
        "../envs/study.yaml"
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/tabulate_leakage.py"),
    script:
        "../scripts/tabulate_leakage.py"


rule tabulate_graders:
    """Judge every graded claim again under other readings of the verdicts."""
    input:
        answers="results/{study}/grades/answers.parquet",
        stops=study.stops(),
        curves=study.curves(),
        published="resources/published.yaml",
        settled=predictions_settled,
    output:
        csv="results/{study}/tables/graders.csv",
        markdown="results/{study}/tables/graders.md",
        rows="results/{study}/tables/graders.rows.parquet",
        html=report(
            "results/{study}/tables/graders.html",
            caption="../report/graders.rst",
            category="Claims",
            labels={"table": "claims under other gradings"},
        ),
    log:
        "results/{study}/logs/tabulate_graders.log",
    benchmark:
        "results/{study}/timings/tabulate_graders.tsv"
    conda:
        "../envs/study.yaml"
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/tabulate_graders.py"),
        sources=contents("resources/published.yaml"),
    script:
        "../scripts/tabulate_graders.py"


rule compare_graders:
    """Hold the graders against each other: how far they agree, and which answers to look at."""
    input:
        answers="results/{study}/grades/answers.parquet",
        grades=expand("results/{{study}}/grades/{run}.parquet", run=study.runs),
        problems=study.problems(),
        benchmarks=study.benchmark_files(),
        settled=predictions_settled,
    output:
        agreement="results/{study}/tables/agreement.csv",
        agreement_markdown="results/{study}/tables/agreement.md",
        agreement_rows="results/{study}/tables/agreement.rows.parquet",
        agreement_html=report(
            "results/{study}/tables/agreement.html",
            caption="../report/agreement.rst",
            category="Claims",
            labels={"table": "agreement of the graders"},
        ),
        disagreements="results/{study}/tables/disagreements.csv",
        disagreements_markdown="results/{study}/tables/disagreements.md",
        disagreements_html=report(
            "results/{study}/tables/disagreements.html",
            caption="../report/disagreements.rst",
            category="Claims",
            labels={"table": "answers to look at"},
        ),
        disagreements_rows="results/{study}/tables/disagreements.rows.parquet",
    log:
        "results/{study}/logs/compare_graders.log",
    benchmark:
        "results/{study}/timings/compare_graders.tsv"
    conda:
        "../envs/study.yaml"
    params:
        settings=sorted_keys({"runs": study.runs, "title": config["title"]}),
        code=fingerprint("scripts/compare_graders.py"),
    script:
        "../scripts/compare_graders.py"


rule plot_curves:
    """Draw the validation loss of every seed and of the pilot, with the stops."""
    input:
        stops=study.stops(),
        curves=study.curves(),
        settled=datasets_settled,
    output:
        svg=report(
            "results/{study}/figures/curves.svg",
            caption="../report/figure_curves.rst",
            category="Stops",
            labels={"figure": "validation curves"},
        ),
        png="results/{study}/figures/curves.png",
    log:
        "results/{study}/logs/plot_curves.log",
    benchmark:
        "results/{study}/timings/plot_curves.tsv"
    conda:
        "../envs/study.yaml"
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/plot_curves.py"),
    script:
        "../scripts/plot_curves.py"


rule plot_words:
    """Draw accuracy against mean words of the levels, base and student."""
    input:
        answers="results/{study}/grades/answers.parquet",
        stops=study.stops(),
        settled=predictions_settled,
    output:
        svg=report(
            "results/{study}/figures/words.svg",
            caption="../report/figure_words.rst",
            category="Response length",
            labels={"figure": "accuracy against words"},
        ),
        png="results/{study}/figures/words.png",
    log:
        "results/{study}/logs/plot_words.log",
    benchmark:
        "results/{study}/timings/plot_words.tsv"
    conda:
        "../envs/study.yaml"
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/plot_words.py"),
    script:
        "../scripts/plot_words.py"


rule plot_sections:
    """Draw the gain over the base by section."""
    input:
        answers="results/{study}/grades/answers.parquet",
        stops=study.stops(),
        settled=predictions_settled,
    output:
        svg=report(
            "results/{study}/figures/sections.svg",
            caption="../report/figure_sections.rst",
            category="Gain",
            labels={"figure": "gain by section"},
        ),
        png="results/{study}/figures/sections.png",
    log:
        "results/{study}/logs/plot_sections.log",
    benchmark:
        "results/{study}/timings/plot_sections.tsv"
    conda:
        "../envs/study.yaml"
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/plot_sections.py"),
    script:
        "../scripts/plot_sections.py"


rule plot_seeds:
    """Draw the forest of each seed's gain over the base, and the pooled gains."""
    input:
        answers="results/{study}/grades/answers.parquet",
        stops=study.stops(),
        settled=predictions_settled,
    output:
        svg=report(
            "results/{study}/figures/seeds.svg",
            caption="../report/figure_seeds.rst",
            category="Gain",
            labels={"figure": "forest of seeds"},
        ),
        png="results/{study}/figures/seeds.png",
    log:
        "results/{study}/logs/plot_seeds.log",
    benchmark:
        "results/{study}/timings/plot_seeds.tsv"
    conda:
        "../envs/study.yaml"
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/plot_seeds.py"),
    script:
        "../scripts/plot_seeds.py"


rule plot_checkpoints:
    """Draw the gain along the checkpoints."""
    input:
        answers="results/{study}/grades/answers.parquet",
        stops=study.stops(),
        settled=predictions_settled,
    output:
        svg=report(
            "results/{study}/figures/checkpoints.svg",
            caption="../report/figure_checkpoints.rst",
            category="Stops",
            labels={"figure": "gain along the checkpoints"},
        ),
        png="results/{study}/figures/checkpoints.png",
    log:
        "results/{study}/logs/plot_checkpoints.log",
    benchmark:
        "results/{study}/timings/plot_checkpoints.tsv"
    conda:
        "../envs/study.yaml"
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/plot_checkpoints.py"),
    script:
        "../scripts/plot_checkpoints.py"


rule plot_discordance:
    """Draw on how many questions base and student disagree."""
    input:
        answers="results/{study}/grades/answers.parquet",
        stops=study.stops(),
        settled=predictions_settled,
    output:
        svg=report(
            "results/{study}/figures/discordance.svg",
            caption="../report/figure_discordance.rst",
            category="Gain",
            labels={"figure": "disagreement with the base"},
        ),
        png="results/{study}/figures/discordance.png",
    log:
        "results/{study}/logs/plot_discordance.log",
    benchmark:
        "results/{study}/timings/plot_discordance.tsv"
    conda:
        "../envs/study.yaml"
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/plot_discordance.py"),
    script:
        "../scripts/plot_discordance.py"


rule plot_stops:
    """Draw the gain over the base under each way to stop."""
    input:
        answers="results/{study}/grades/answers.parquet",
        stops=study.stops(),
        settled=predictions_settled,
    output:
        svg=report(
            "results/{study}/figures/stops.svg",
            caption="../report/figure_stops.rst",
            category="Stops",
            labels={"figure": "gain by stop"},
        ),
        png="results/{study}/figures/stops.png",
    log:
        "results/{study}/logs/plot_stops.log",
    benchmark:
        "results/{study}/timings/plot_stops.tsv"
    conda:
        "../envs/study.yaml"
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/plot_stops.py"),
    script:
        "../scripts/plot_stops.py"


rule plot_graders:
    """Draw the gain under each reading of the verdicts, and how many answers it regrades."""
    input:
        answers="results/{study}/grades/answers.parquet",
        stops=study.stops(),
        settled=predictions_settled,
    output:
        svg=report(
            "results/{study}/figures/graders.svg",
            caption="../report/figure_graders.rst",
            category="Claims",
            labels={"figure": "gain by grader"},
        ),
        png="results/{study}/figures/graders.png",
    log:
        "results/{study}/logs/plot_graders.log",
    benchmark:
        "results/{study}/timings/plot_graders.tsv"
    conda:
        "../envs/study.yaml"
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/plot_graders.py"),
    script:
        "../scripts/plot_graders.py"

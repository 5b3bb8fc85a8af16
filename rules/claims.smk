"""Claims judged, tables and figures: one job for all numbers and one for all figures.

In: results/STUDY/grades, problems, benchmarks, stops, validation curves, the published figures
Out: results/STUDY/claims/claims.csv, .md, .html, .tex; results/STUDY/tables; results/STUDY/figures
"""


rule judge_claims:
    """Judge each claim within its estimand, and tabulate what the verdicts rest on."""
    input:
        answers="results/{study}/grades/answers.parquet",
        grades=expand("results/{{study}}/grades/{run}.parquet", run=study.runs),
        problems=study.problems(),
        benchmarks=study.benchmark_files(),
        stops=study.stops(),
        curves=study.curves(),
        accounted="results/{study}/tables/problems.csv",
        published="resources/published.yaml",
        settled=predictions_settled,
    output:
        claims=[
            "results/{study}/claims/claims.csv",
            "results/{study}/claims/claims.md",
            "results/{study}/claims/claims.tex",
            "results/{study}/claims/rows.parquet",
            report(
                "results/{study}/claims/claims.html",
                caption="../report/claims.rst",
                category="Claims",
                labels={"table": "claims"},
            ),
        ],
        levels=[
            "results/{study}/tables/levels.csv",
            "results/{study}/tables/levels.md",
            "results/{study}/tables/levels.rows.parquet",
            report(
                "results/{study}/tables/levels.html",
                caption="../report/levels.rst",
                category="Response length",
                labels={"table": "words and accuracy by level and section"},
            ),
        ],
        seeds=[
            "results/{study}/tables/seeds.csv",
            "results/{study}/tables/seeds.md",
            "results/{study}/tables/seeds.rows.parquet",
            report(
                "results/{study}/tables/seeds.html",
                caption="../report/seeds.rst",
                category="Gain",
                labels={"table": "gain by seed"},
            ),
        ],
        stops=[
            "results/{study}/tables/stops.csv",
            "results/{study}/tables/stops.md",
            "results/{study}/tables/stops.rows.parquet",
            report(
                "results/{study}/tables/stops.html",
                caption="../report/stops.rst",
                category="Stops",
                labels={"table": "gain by stop"},
            ),
        ],
        leakage=[
            "results/{study}/tables/leakage.csv",
            "results/{study}/tables/leakage.md",
            "results/{study}/tables/leakage.rows.parquet",
            report(
                "results/{study}/tables/leakage.html",
                caption="../report/leakage.rst",
                category="Gain",
                labels={"table": "in sample and held out"},
            ),
        ],
        graders=[
            "results/{study}/tables/graders.csv",
            "results/{study}/tables/graders.md",
            "results/{study}/tables/graders.rows.parquet",
            report(
                "results/{study}/tables/graders.html",
                caption="../report/graders.rst",
                category="Claims",
                labels={"table": "claims under other gradings"},
            ),
        ],
        multiverse=[
            "results/{study}/tables/multiverse.csv",
            "results/{study}/tables/multiverse.md",
            "results/{study}/tables/multiverse.rows.parquet",
            report(
                "results/{study}/tables/multiverse.html",
                caption="../report/multiverse.rst",
                category="Gain",
                labels={"table": "gain under every combination of choices"},
            ),
        ],
        agreement=[
            "results/{study}/tables/agreement.csv",
            "results/{study}/tables/agreement.md",
            "results/{study}/tables/agreement.rows.parquet",
            report(
                "results/{study}/tables/agreement.html",
                caption="../report/agreement.rst",
                category="Claims",
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
                category="Claims",
                labels={"table": "answers to look at"},
            ),
        ],
    log:
        "results/{study}/logs/judge_claims.log",
    benchmark:
        "results/{study}/timings/judge_claims.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("judge_claims"),
    params:
        settings=sorted_keys({**study.claims(), "runs": study.runs}),
        code=fingerprint("scripts/judge_claims.py"),
        sources=contents("resources/published.yaml"),
    script:
        "../scripts/judge_claims.py"


rule draw_figures:
    """Draw every figure of the study."""
    input:
        answers="results/{study}/grades/answers.parquet",
        stops=study.stops(),
        curves=study.curves(),
        tested="results/{study}/claims/claims.csv",
        settled=predictions_settled,
    output:
        claims=[
            "results/{study}/figures/claims.png",
            report(
                "results/{study}/figures/claims.svg",
                caption="../report/figure_claims.rst",
                category="Claims",
                labels={"figure": "all claims"},
            ),
        ],
        curves=[
            "results/{study}/figures/curves.png",
            report(
                "results/{study}/figures/curves.svg",
                caption="../report/figure_curves.rst",
                category="Stops",
                labels={"figure": "validation curves"},
            ),
        ],
        words=[
            "results/{study}/figures/words.png",
            report(
                "results/{study}/figures/words.svg",
                caption="../report/figure_words.rst",
                category="Response length",
                labels={"figure": "accuracy against words"},
            ),
        ],
        sections=[
            "results/{study}/figures/sections.png",
            report(
                "results/{study}/figures/sections.svg",
                caption="../report/figure_sections.rst",
                category="Gain",
                labels={"figure": "gain by section"},
            ),
        ],
        seeds=[
            "results/{study}/figures/seeds.png",
            report(
                "results/{study}/figures/seeds.svg",
                caption="../report/figure_seeds.rst",
                category="Gain",
                labels={"figure": "forest of seeds"},
            ),
        ],
        checkpoints=[
            "results/{study}/figures/checkpoints.png",
            report(
                "results/{study}/figures/checkpoints.svg",
                caption="../report/figure_checkpoints.rst",
                category="Stops",
                labels={"figure": "gain along the checkpoints"},
            ),
        ],
        discordance=[
            "results/{study}/figures/discordance.png",
            report(
                "results/{study}/figures/discordance.svg",
                caption="../report/figure_discordance.rst",
                category="Gain",
                labels={"figure": "disagreement with the base"},
            ),
        ],
        stops=[
            "results/{study}/figures/stops.png",
            report(
                "results/{study}/figures/stops.svg",
                caption="../report/figure_stops.rst",
                category="Stops",
                labels={"figure": "gain by stop"},
            ),
        ],
        graders=[
            "results/{study}/figures/graders.png",
            report(
                "results/{study}/figures/graders.svg",
                caption="../report/figure_graders.rst",
                category="Claims",
                labels={"figure": "gain by grader"},
            ),
        ],
        multiverse=[
            "results/{study}/figures/multiverse.png",
            report(
                "results/{study}/figures/multiverse.svg",
                caption="../report/multiverse.rst",
                category="Gain",
                labels={"figure": "gain under every combination of choices"},
            ),
        ],
    log:
        "results/{study}/logs/draw_figures.log",
    benchmark:
        "results/{study}/timings/draw_figures.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("draw_figures"),
    params:
        settings=sorted_keys(study.claims()),
        code=fingerprint("scripts/draw_figures.py"),
    script:
        "../scripts/draw_figures.py"

"""Teacher traces: solved without the key, distilled to each level, verified against the key.

In: results/STUDY/problems/YEAR.jsonl, the prompts, and the teacher behind an HTTP API
Out: results/STUDY/traces/YEAR/solutions.jsonl, distillations.jsonl, traces.jsonl, and beside each
the raw responses it was made from
Kept outside the DAG: state/STUDY/teacher, the journal of every response that was paid for

The agents' jobs wait for a host, so they take no core: all years ask at once, whatever `--cores`
says, and share the host's slots (distil/teacher/gates.py).
"""


rule solve_problems:
    """Let the solver answer one year's problems; it never sees the key."""
    input:
        problems="results/{study}/problems/{year}.jsonl",
        solver=study.prompt("solver.txt"),
    output:
        solutions="results/{study}/traces/{year}/solutions.jsonl",
        responses="results/{study}/traces/{year}/solver_responses.jsonl",
    log:
        "results/{study}/logs/solve_problems/{year}.log",
    benchmark:
        "results/{study}/timings/solve_problems/{year}.tsv"
    localrule: needs.local("solve_problems")
    conda:
        "../envs/study.yaml"
    threads: 0
    resources:
        **needs.of("solve_problems"),
    params:
        settings=sorted_keys({"teacher": study.teacher("solver")}),
        store="state/{study}/teacher",
        code=fingerprint("scripts/solve_problems.py"),
        sources=contents(study.prompt("solver.txt")),
    script:
        "../scripts/solve_problems.py"


rule distill_traces:
    """Let the distiller rewrite right solutions at the levels that train, seeing no key."""
    input:
        problems=[
            f"results/{study.name}/problems/{year}.jsonl"
            for year in study.traced_years
        ],
        solutions="results/{study}/traces/{year}/solutions.jsonl",
        distiller=study.prompt("distiller.txt"),
        repair=study.prompt("repair.txt"),
        levels=study.prompt("levels.yaml"),
    output:
        distillations="results/{study}/traces/{year}/distillations.jsonl",
        responses="results/{study}/traces/{year}/distiller_responses.jsonl",
    log:
        "results/{study}/logs/distill_traces/{year}.log",
    benchmark:
        "results/{study}/timings/distill_traces/{year}.tsv"
    localrule: needs.local("distill_traces")
    conda:
        "../envs/study.yaml"
    threads: 0
    resources:
        **needs.of("distill_traces"),
    params:
        settings=sorted_keys(
            {
                "teacher": study.teacher("distiller"),
                "levels": study.levels,
                "plan": study.level_choice(),
                "traces": study.trace_making(),
            }
        ),
        store="state/{study}/teacher",
        code=fingerprint("scripts/distill_traces.py"),
        sources=contents(
            *map(study.prompt, ("distiller.txt", "repair.txt", "levels.yaml"))
        ),
    script:
        "../scripts/distill_traces.py"


rule verify_traces:
    """Let the verifier compare each distilled answer with the key; only verified traces train."""
    input:
        problems="results/{study}/problems/{year}.jsonl",
        distillations="results/{study}/traces/{year}/distillations.jsonl",
        verifier=study.prompt("verifier.txt"),
    output:
        traces="results/{study}/traces/{year}/traces.jsonl",
        responses="results/{study}/traces/{year}/verifier_responses.jsonl",
    log:
        "results/{study}/logs/verify_traces/{year}.log",
    benchmark:
        "results/{study}/timings/verify_traces/{year}.tsv"
    localrule: needs.local("verify_traces")
    conda:
        "../envs/study.yaml"
    threads: 0
    resources:
        **needs.of("verify_traces"),
    params:
        settings=sorted_keys(
            {"teacher": study.teacher("verifier"), "traces": study.trace_making()}
        ),
        store="state/{study}/teacher",
        code=fingerprint("scripts/verify_traces.py"),
        sources=contents(study.prompt("verifier.txt")),
    script:
        "../scripts/verify_traces.py"


rule tabulate_traces:
    """Count traces by year, section, level and status; list where verifier and grader differ."""
    input:
        traces=[
            f"results/{study.name}/traces/{year}/traces.jsonl"
            for year in study.traced_years
        ],
        problems=[
            f"results/{study.name}/problems/{year}.jsonl"
            for year in study.traced_years
        ],
    output:
        traces=[
            "results/{study}/tables/traces.csv",
            "results/{study}/tables/traces.md",
            "results/{study}/tables/traces.rows.parquet",
            report(
                "results/{study}/tables/traces.html",
                caption="../report/traces.rst",
                category="Traces",
                labels={"table": "traces by year, section, level and status"},
            ),
        ],
        verdicts=[
            "results/{study}/tables/verdicts.csv",
            "results/{study}/tables/verdicts.md",
            "results/{study}/tables/verdicts.rows.parquet",
            report(
                "results/{study}/tables/verdicts.html",
                caption="../report/verdicts.rst",
                category="Traces",
                labels={"table": "verifier against grader"},
            ),
        ],
    log:
        "results/{study}/logs/tabulate_traces.log",
    benchmark:
        "results/{study}/timings/tabulate_traces.tsv"
    localrule: needs.local("tabulate_traces")
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("tabulate_traces"),
    params:
        settings={"title": config["title"]},
        code=fingerprint("scripts/tabulate_traces.py"),
    script:
        "../scripts/tabulate_traces.py"

"""Teacher traces: solved without the key, distilled to each level, verified against the key.

In: results/STUDY/problems/YEAR.jsonl, the prompts, and the teacher behind an HTTP API
Out: results/STUDY/traces/YEAR/solutions.jsonl, distillations.jsonl, traces.jsonl, and beside each
the raw responses it was made from
Kept outside the DAG: state/STUDY/teacher, the journal of every response that was paid for
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
    conda:
        "../envs/study.yaml"
    params:
        settings=sorted_keys(shaping({"teacher": study.teacher("solver")})),
        how=getting({"teacher": study.teacher("solver")}),
        store="state/{study}/teacher",
        code=fingerprint("scripts/solve_problems.py"),
        sources=contents(study.prompt("solver.txt")),
    script:
        "../scripts/solve_problems.py"


rule distill_traces:
    """Let the distiller rewrite each solution at each level, from the solver's reasoning alone."""
    input:
        problems="results/{study}/problems/{year}.jsonl",
        solutions="results/{study}/traces/{year}/solutions.jsonl",
        distiller=study.prompt("distiller.txt"),
        levels=study.prompt("levels.yaml"),
    output:
        distillations="results/{study}/traces/{year}/distillations.jsonl",
        responses="results/{study}/traces/{year}/distiller_responses.jsonl",
    log:
        "results/{study}/logs/distill_traces/{year}.log",
    benchmark:
        "results/{study}/timings/distill_traces/{year}.tsv"
    conda:
        "../envs/study.yaml"
    params:
        settings=sorted_keys(
            shaping({"teacher": study.teacher("distiller"), "levels": study.levels})
        ),
        how=getting({"teacher": study.teacher("distiller")}),
        store="state/{study}/teacher",
        code=fingerprint("scripts/distill_traces.py"),
        sources=contents(study.prompt("distiller.txt"), study.prompt("levels.yaml")),
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
    conda:
        "../envs/study.yaml"
    params:
        settings=sorted_keys(shaping({"teacher": study.teacher("verifier")})),
        how=getting({"teacher": study.teacher("verifier")}),
        store="state/{study}/teacher",
        code=fingerprint("scripts/verify_traces.py"),
        sources=contents(study.prompt("verifier.txt")),
    script:
        "../scripts/verify_traces.py"

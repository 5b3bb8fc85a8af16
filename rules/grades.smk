"""Verdicts: right, wrong or unknown, with the reason and the rule that decided.

In: results/STUDY/predictions/RUN.parquet, problems, benchmarks
Out: results/STUDY/grades/RUN.parquet, and all of them in one table, answers.parquet; with
grading.judge, judge.parquet, and beside it the raw responses it was made from
"""


rule grade_predictions:
    """Judge one run's answers against the keys."""
    input:
        predictions="results/{study}/predictions/{run}.parquet",
        settled=predictions_settled,
        problems=[*study.problems(), *study.benchmark_files()],
    output:
        grades="results/{study}/grades/{run}.parquet",
    log:
        "results/{study}/logs/grade_predictions/{run}.log",
    benchmark:
        "results/{study}/timings/grade_predictions/{run}.tsv"
    wildcard_constraints:
        run=study.run_pattern("teacher", "base"),
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("grade_predictions"),
    params:
        settings=sorted_keys(study.grading()),
        code=fingerprint("scripts/grade_predictions.py"),
    script:
        "../scripts/grade_predictions.py"


if config["grading"]["judge"]:

    rule judge_answers:
        """Let a chat model judge every distinct answer, as one more grader."""
        input:
            problems=[*study.problems(), *study.benchmark_files()],
            predictions=expand(
                "results/{{study}}/predictions/{run}.parquet", run=study.runs
            ),
            grades=expand("results/{{study}}/grades/{run}.parquet", run=study.runs),
            settled=predictions_settled,
            judge=study.prompt("judge.txt"),
        output:
            judgements="results/{study}/grades/judge.parquet",
            responses="results/{study}/grades/judge_responses.jsonl",
        log:
            "results/{study}/logs/judge_answers.log",
        benchmark:
            "results/{study}/timings/judge_answers.tsv"
        localrule: needs.local("judge_answers")
        conda:
            "../envs/study.yaml"
        resources:
            **needs.of("judge_answers"),
        params:
            settings=sorted_keys({"teacher": study.judge(), "runs": study.runs}),
            store="state/{study}/teacher",
            code=fingerprint("scripts/judge_answers.py"),
        script:
            "../scripts/judge_answers.py"


rule collect_answers:
    """Join predictions, grades and problems: one row for every graded answer of the study."""
    input:
        problems=study.problems(),
        benchmarks=study.benchmark_files(),
        clusters="results/{study}/datasets/clusters.parquet",
        truth=study.truth(),
        predictions=expand(
            "results/{{study}}/predictions/{run}.parquet", run=study.runs
        ),
        grades=expand("results/{{study}}/grades/{run}.parquet", run=study.runs),
        judgements=study.judgements(),
        settled=predictions_settled,
    output:
        answers="results/{study}/grades/answers.parquet",
    log:
        "results/{study}/logs/collect_answers.log",
    benchmark:
        "results/{study}/timings/collect_answers.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("collect_answers"),
    params:
        settings=sorted_keys({"runs": study.runs, "folds": study.folds}),
        code=fingerprint("scripts/collect_answers.py"),
    script:
        "../scripts/collect_answers.py"

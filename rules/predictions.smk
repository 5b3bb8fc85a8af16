"""Answers of base, teacher and every adapter, decoded here or asked of a server.

In: problems, benchmarks, prompts, the student, adapters, stops; the teacher's solutions
Out: results/STUDY/predictions/RUN.parquet, RUN being base, teacher or FOLD/VARIANT/seed-SEED; with
predictions.decoder http, RUN_responses.jsonl, the raw responses it was made from
Kept outside the DAG: state/STUDY/predictions, rows decoded before
"""

NO_RUN = "(?!)"  # matches nothing: where a server answers, no run is decoded here


# A checkpoint for the same reason as split_datasets: one more seed or another loss rewrites the
# plans, and only the runs whose plan differs decode anything.
checkpoint plan_predictions:
    """List for each run what it must answer: checkpoint, benchmark, level, years."""
    input:
        stops=expand(
            "results/{{study}}/adapters/{fold}/{variant}/stops.json",
            fold=study.folds,
            variant=study.variants,
        ),
        settled=datasets_settled,
    output:
        plans=expand(
            "results/{{study}}/predictions/plans/{run}.json", run=study.student_runs
        ),
    log:
        "results/{study}/logs/plan_predictions.log",
    benchmark:
        "results/{study}/timings/plan_predictions.tsv"
    localrule: needs.local("plan_predictions")
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("plan_predictions"),
    params:
        settings=sorted_keys(study.examination()),
        code=fingerprint("scripts/plan_predictions.py"),
    script:
        "../scripts/plan_predictions.py"


rule predict_answers:
    """Decode one run's answers: the base student, or all checkpoints of one seed."""
    input:
        plan=plan,
        problems=study.problems(),
        benchmarks=study.benchmark_files(),
        student_prompt=study.prompt("student.txt"),
        levels=study.prompt("levels.yaml"),
        system=lambda wildcards: study.system_prompt(wildcards.run),
        student=student_lock,
        adapters=lambda wildcards: study.adapters(wildcards.run),
    output:
        predictions="results/{study}/predictions/{run}.parquet",
    log:
        "results/{study}/logs/predict_answers/{run}.log",
    benchmark:
        "results/{study}/timings/predict_answers/{run}.tsv"
    wildcard_constraints:
        run=NO_RUN if study.served else study.run_pattern("base"),
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("predict_answers"),
    params:
        settings=sorted_keys(study.decoding()),
        store="state/{study}/predictions",
        code=fingerprint("scripts/predict_answers.py"),
        sources=lambda wildcards: contents(
            study.prompt("student.txt"),
            study.prompt("levels.yaml"),
            *study.system_prompt(wildcards.run),
            study.student("model.lock.json"),
        ),
    script:
        "../scripts/predict_answers.py"


if study.served:

    rule ask_student:
        """Ask a server for one run's answers: the base student, or all checkpoints of one seed."""
        input:
            plan=plan,
            problems=study.problems(),
            benchmarks=study.benchmark_files(),
            student_prompt=study.prompt("student.txt"),
            levels=study.prompt("levels.yaml"),
            system=lambda wildcards: study.system_prompt(wildcards.run),
            student=student_lock,
            adapters=lambda wildcards: study.adapters(wildcards.run),
        output:
            predictions="results/{study}/predictions/{run}.parquet",
            responses="results/{study}/predictions/{run}_responses.jsonl",
        log:
            "results/{study}/logs/ask_student/{run}.log",
        benchmark:
            "results/{study}/timings/ask_student/{run}.tsv"
        wildcard_constraints:
            run=study.run_pattern("base"),
        localrule: needs.local("ask_student")
        conda:
            "../envs/study.yaml"
        resources:
            **needs.of("ask_student"),
        params:
            settings=sorted_keys(study.server()),
            store="state/{study}/predictions",
            code=fingerprint("scripts/ask_student.py"),
            sources=lambda wildcards: contents(
                study.prompt("student.txt"),
                study.prompt("levels.yaml"),
                *study.system_prompt(wildcards.run),
                study.student("model.lock.json"),
            ),
        script:
            "../scripts/ask_student.py"


rule predict_teacher:
    """Take the solver's answers to each problem as the teacher's (C2)."""
    input:
        solutions=expand(
            "results/{{study}}/traces/{year}/solutions.jsonl", year=study.years
        ),
    output:
        predictions="results/{study}/predictions/teacher.parquet",
    log:
        "results/{study}/logs/predict_teacher.log",
    benchmark:
        "results/{study}/timings/predict_teacher.tsv"
    localrule: needs.local("predict_teacher")
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("predict_teacher"),
    params:
        settings={"level": study.levels[0]},
        code=fingerprint("scripts/predict_teacher.py"),
    script:
        "../scripts/predict_teacher.py"

"""LoRA adapters, one run a seed to the horizon, and the stops chosen among their checkpoints.

In: results/STUDY/datasets/FOLD/VARIANT/train.jsonl, validation.jsonl, the student
Out: results/STUDY/adapters/FOLD/VARIANT/seed-SEED/ITERATION.safetensors, curve.csv; stops.json
Kept outside the DAG: state/STUDY/adapters, where a killed training resumes from
"""


rule train_adapter:
    """Train one seed to the horizon, saving the declared checkpoints and the validation curve."""
    input:
        unpack(training_rows),
        student=student_lock,
    output:
        checkpoints=expand(
            "results/{{study}}/adapters/{{fold}}/{{variant}}/seed-{{seed}}/{iteration:05d}.safetensors",
            iteration=study.checkpoints,
        ),
        config="results/{study}/adapters/{fold}/{variant}/seed-{seed}/adapter_config.json",
        curve="results/{study}/adapters/{fold}/{variant}/seed-{seed}/curve.csv",
        training="results/{study}/adapters/{fold}/{variant}/seed-{seed}/training.json",
    log:
        "results/{study}/logs/train_adapter/{fold}/{variant}/seed-{seed}.log",
    benchmark:
        "results/{study}/timings/train_adapter/{fold}/{variant}/seed-{seed}.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("train_adapter"),
    params:
        settings=sorted_keys(study.training()),
        store="state/{study}/adapters",
        code=fingerprint("scripts/train_adapter.py"),
        sources=contents(study.student("model.lock.json")),
    script:
        "../scripts/train_adapter.py"


rule choose_stops:
    """Choose each stop among the saved checkpoints, from validation losses alone."""
    input:
        curves=expand(
            "results/{{study}}/adapters/{{fold}}/{{variant}}/seed-{seed}/curve.csv",
            seed=study.all_seeds,
        ),
        settled=datasets_settled,
    output:
        stops="results/{study}/adapters/{fold}/{variant}/stops.json",
    log:
        "results/{study}/logs/choose_stops/{fold}/{variant}.log",
    benchmark:
        "results/{study}/timings/choose_stops/{fold}/{variant}.tsv"
    localrule: needs.local("choose_stops")
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("choose_stops"),
    params:
        settings=sorted_keys(
            {
                "seeds": study.seeds,
                "pilot_seed": config["adapters"]["pilot_seed"],
                "patience": config["adapters"]["patience"],
                "checkpoints": study.checkpoints,
            }
        ),
        code=fingerprint("scripts/choose_stops.py"),
    script:
        "../scripts/choose_stops.py"

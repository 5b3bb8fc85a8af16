"""The sample student, made from nothing: its shipped copy in resources/student came from here.

Not part of the default target: `make student` rebuilds it and puts it in place.

In: problems and benchmarks, whose statements are kept out of the text; the prompts
Out: results/STUDY/student
Kept outside the DAG: state/STUDY/student, where a killed pre-training resumes from
"""


rule pretrain_student:
    """Fit the tokenizer and pre-train the student from scratch, without any exam's question."""
    input:
        problems=study.problems(),
        benchmarks=study.benchmark_files(),
        student_prompt=study.prompt("student.txt"),
        levels=study.prompt("levels.yaml"),
    output:
        weights="results/{study}/student/model.safetensors",
        lock="results/{study}/student/model.lock.json",
        config="results/{study}/student/config.json",
        generation="results/{study}/student/generation_config.json",
        tokenizer="results/{study}/student/tokenizer.json",
        tokenizer_config="results/{study}/student/tokenizer_config.json",
        pretraining="results/{study}/student/pretraining.json",
    log:
        "results/{study}/logs/pretrain_student.log",
    benchmark:
        "results/{study}/timings/pretrain_student.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("pretrain_student"),
    params:
        settings=sorted_keys(config["student"]["pretraining"] or {}),
        store="state/{study}/student",
        code=fingerprint("scripts/pretrain_student.py"),
        sources=contents(study.prompt("student.txt"), study.prompt("levels.yaml")),
    script:
        "../scripts/pretrain_student.py"

"""Input functions that ask a checkpoint, so that what lies below is decided by content.

Snakemake decides a second time, once a checkpoint has run, only about jobs that asked for it. A
test paper that changes makes the duplicates be searched again; where the training rows come out as
the same bytes, nothing below may run, and these functions see to it. They return plain paths: what a
checkpoint gives is given to all who ask, and Snakemake sets flags on the files of a job.

No input, no output.
"""


def training_rows(wildcards):
    """One fold's train and validation rows, compared by content once they are made."""
    made = checkpoints.split_datasets.get(
        study=wildcards.study, fold=wildcards.fold, variant=wildcards.variant
    )
    return {name: str(made.output[name]) for name in ("train", "validation")}


def datasets_settled(wildcards):
    """No file: has the job decided again once every fold's rows are made.

    Snakemake decides a second time, by content, only about jobs that ask for the checkpoint. All
    that lies below training asks for it through here, or it would run for adapters that in the
    end were not trained again.
    """
    for fold in study.folds:
        for variant in study.variants:
            checkpoints.split_datasets.get(
                study=wildcards.study, fold=fold, variant=variant
            )
    return []


def plan(wildcards):
    """One run's plan, compared by content once it is made."""
    datasets_settled(wildcards)
    made = checkpoints.plan_predictions.get(study=wildcards.study)
    return str(made.output.plans[study.student_runs.index(wildcards.run)])


def predictions_settled(wildcards):
    """No file: has the job decided again once the plans are made (see `datasets_settled`).

    The teacher's answers rest on no plan.
    """
    if wildcards.get("run") == "teacher":
        return []
    datasets_settled(wildcards)
    checkpoints.plan_predictions.get(study=wildcards.study)
    return []

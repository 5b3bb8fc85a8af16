"""The study, from exam PDFs to tested claims: one file of rules per stage, in DAG order."""

from snakemake.utils import min_version

min_version("9.27")


if not workflow.configfiles:

    configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/exams.smk"
include: "rules/problems.smk"


if config["exams"]["source"] == "release":

    include: "rules/release.smk"

else:

    include: "rules/benchmarks.smk"
    include: "rules/checkpoints.smk"
    include: "rules/traces.smk"
    include: "rules/datasets.smk"
    include: "rules/adapters.smk"
    include: "rules/predictions.smk"
    include: "rules/grades.smk"
    include: "rules/claims.smk"
    include: "rules/student.smk"


include: "rules/report.smk"


rule all:
    """The claims, every table and every figure of the study, and every file on the way to them."""
    default_target: True
    input:
        lambda wildcards: every_output(workflow, study.targets()),


# Named targets of a study that is run stage by stage, so that a person looks before anything is
# paid for, and claims come before more is trained. Each holds what the ones before it hold.
if config["exams"]["source"] != "release":

    rule problems:
        """Every problem as the study takes it, what became of the others, and the review page."""
        input:
            lambda wildcards: every_output(workflow, study.stage("problems")),

    rule traces:
        """Every trace of the teacher: after it nothing is paid for but a judge, if there is one."""
        input:
            lambda wildcards: every_output(workflow, study.stage("traces")),

    rule primary:
        """The claims of the study file, as `all`."""
        input:
            lambda wildcards: every_output(workflow, study.stage("primary")),

    rule folds:
        """The claims with further folds, which a second study file adds."""
        input:
            lambda wildcards: every_output(workflow, study.stage("folds")),

    rule levels:
        """The claims with an adapter for each level, which a further study file adds."""
        input:
            lambda wildcards: every_output(workflow, study.stage("levels")),

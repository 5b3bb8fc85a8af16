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

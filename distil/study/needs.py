"""Resources that each rule's jobs ask for: memory, time, CPUs, a GPU; and what overrides them.

Every rule asks here, so that a cluster's scheduler can place each of its jobs. What a job is given
shapes no result: it is in no param and in no record, and a change reruns nothing. The section
`resources` of a study file overrides any of it, for one rule or (`default`) for all.

Jobs that open the student ask for what `student.resources` says; the others for a base and a share
of the size of their inputs, half as much again on the second try and twice as much on the third.
`docs/cluster.md` says where the shares were measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from distil.study.shape import AnyStudy

DEFAULT = "default"
# A key of a study file's `resources`: what Snakemake calls it.
NAMES = {
    "mem_mb": "mem_mb",
    "runtime": "runtime",
    "gpu": "gpu",
    "gpu_model": "gpu_model",
    "cpus": "cpus_per_task",
    "partition": "slurm_partition",
    "account": "slurm_account",
    "constraint": "constraint",
    "qos": "qos",
}
STUDENT = frozenset({"train_adapter", "predict_answers", "pretrain_student"})


@dataclass(frozen=True)
class Need:
    """What the jobs of a rule ask for.

    Attributes:
        mem_mb: megabytes of memory before any input.
        per_mb: further megabytes for each megabyte of the input files.
        runtime: minutes at most.
        cpus: processors.
        local: whether a job runs beside Snakemake rather than on a node: it takes seconds, or needs
            the network, which nodes often lack.
        teacher: whether a job may pay for answers.
        grouped: whether several jobs are submitted together (`groups` in profiles/slurm).
    """

    mem_mb: int = 1000
    per_mb: float = 10.0
    runtime: int = 60
    cpus: int = 1
    local: bool = False
    teacher: bool = False
    grouped: bool = False


# Days: a teacher may be slow, and an outage is waited for.
ASKING = Need(mem_mb=1500, runtime=2880, local=True, teacher=True)
LOCAL = Need(local=True)
NEEDS = {
    "typeset_exams": LOCAL,
    "collect_exam": LOCAL,  # from the network, where the manifest has a URL
    "extract_problems": Need(grouped=True),
    "crop_problems": Need(grouped=True),
    "read_crops": ASKING,
    "correct_problems": LOCAL,
    "tabulate_problems": LOCAL,
    "review_problems": LOCAL,
    "import_benchmark": LOCAL,
    "solve_problems": ASKING,
    "distill_traces": ASKING,
    "verify_traces": ASKING,
    "tabulate_traces": LOCAL,
    "cluster_problems": Need(mem_mb=2000, per_mb=20),
    "split_datasets": LOCAL,
    "tabulate_splits": LOCAL,
    "choose_stops": LOCAL,
    "plan_predictions": LOCAL,
    "predict_teacher": LOCAL,
    "ask_student": Need(mem_mb=1500, runtime=2880, local=True),
    "grade_predictions": Need(mem_mb=2000, per_mb=20),
    "judge_answers": ASKING,
    "collect_answers": Need(mem_mb=1500),
    "judge_claims": Need(mem_mb=2000, per_mb=120, runtime=240),
    "draw_figures": Need(mem_mb=1500, per_mb=120),
    "build_page": Need(mem_mb=2000),
}


class Needs:
    """What the jobs of a study ask for, asked rule by rule.

    Args:
        study: the study; the section `resources` of its configuration overrides the table above.
    """

    def __init__(self, study: AnyStudy) -> None:
        """Keep what the study file says."""
        self.study = study
        self.asked: dict[str, dict[str, Any]] = study.config.get("resources", {})

    def of(self, rule: str) -> dict[str, Any]:
        """Return the `resources` of a rule, as Snakemake spells them.

        Args:
            rule: the rule's name.

        Returns:
            numbers and texts; memory that depends on the inputs is a function, which Snakemake
            calls for each job.
        """
        need = NEEDS.get(rule, Need())
        found: dict[str, Any] = {
            "mem_mb": _growing(need),
            "runtime": self._minutes(rule, need),
            "cpus_per_task": need.cpus,
        }
        if rule in STUDENT:
            student = self.study.config["student"]["resources"]
            found |= {
                "mem_mb": student["memory_mb"],
                "runtime": student["minutes"],
                "gpu": student["gpu"],
                "cpus_per_task": 4 if student["gpu"] else 2,
            }
        elif rule == "grade_predictions":
            found["cpus_per_task"] = self.study.config["grading"]["workers"]
        if need.teacher:
            found["teacher"] = 1
        if need.grouped:
            found["in_group"] = 1
        if self.local(rule):
            found["on_login"] = 1
        for name in (DEFAULT, rule):
            asked = self.asked.get(name, {})
            found |= {NAMES[key]: value for key, value in asked.items() if key in NAMES}
        return found

    def local(self, rule: str) -> bool:
        """Return whether the jobs of a rule run beside Snakemake, not on a node of a cluster."""
        asked = self.asked.get(rule, {}).get("local")
        return NEEDS.get(rule, Need()).local if asked is None else asked

    def _minutes(self, rule: str, need: Need) -> int:
        """Return the minutes that a job may take: reading papers is bound by its own limits."""
        if rule not in ("extract_problems", "crop_problems"):
            return need.runtime
        papers = [entry["year"] for entry in self.study.manifest.values()]
        most = max(map(papers.count, papers), default=1)
        wall = self.study.config["problems"]["limits"]["wall_seconds"]
        return 10 + math.ceil(most * wall / 60)


def _growing(need: Need) -> Callable[..., int]:
    """Return the function that Snakemake asks for a job's memory."""

    def mem_mb(wildcards: Any, input: Any, attempt: int) -> int:  # noqa: A002, ARG001
        return math.ceil((need.mem_mb + need.per_mb * input.size_mb) * (1 + attempt) / 2)

    return mem_mb

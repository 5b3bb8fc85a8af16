"""Canaries: the private parts of Snakemake that are patched are still what they were.

After an upgrade of Snakemake a failure here says which promise of distil/study/snakemake_patches.py,
distil/audit/planned.py or distil/study/terminal.py to look at before anything else.
"""

from __future__ import annotations

import importlib.metadata
import inspect

import pytest
import snakemake.api  # noqa: F401 - before its parts, which import each other


def test_the_version_is_one_that_the_patches_were_written_for():
    version = importlib.metadata.version("snakemake")
    assert version.startswith("9.27."), "read snakemake/persistence and dag.py, then the patches"


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("has_metadata", ["self", "job"]),
        ("has_outdated_metadata", ["self", "job"]),
        ("params_changed", ["self", "job", "file"]),
        ("input_changed", ["self", "job", "file"]),
        ("input_checksums", ["self", "job", "input_path"]),
    ],
)
def test_the_questions_about_a_job_are_put_to_the_persistence(name, parameters):
    from snakemake.dag import DAG
    from snakemake.persistence import PersistenceBase

    # The patches take the place of functions that the module has, in whatever subclass.
    assert list(inspect.signature(inspect.unwrap(getattr(PersistenceBase, name))).parameters)
    for kind in PersistenceBase.__subclasses__():
        assert name not in vars(kind), f"{kind.__name__} answers {name} itself"
    assert f"persistence.{name}(job" in inspect.getsource(DAG.update_needrun)
    assert parameters[1] == "job"


def test_a_run_holds_its_folder_by_the_lock_of_the_persistence():
    from snakemake import workflow
    from snakemake.persistence import PersistenceBase

    assert "with self.persistence.lock():" in inspect.getsource(workflow.Workflow.execute)
    source = inspect.getsource(PersistenceBase.lock)
    assert "if self.locked:" in source
    assert "LockException" in source
    for name in ("locked", "cleanup_locks"):
        assert hasattr(PersistenceBase, name)


def test_who_asks_for_a_checkpoint_or_a_files_rules_asks_what_can_be_remembered():
    from snakemake.checkpoints import Checkpoint
    from snakemake.dag import DAG
    from snakemake.output_index import OutputIndex

    assert "rule" in Checkpoint.__slots__
    assert "self.rule.expand_output(wildcards)" in inspect.getsource(Checkpoint.get)
    # Whoever is given the remembered set only walks it, and other rules mean another index.
    assert "rules = self.output_index.match_producers(targetfile)" in inspect.getsource(DAG)
    assert "self.output_index = OutputIndex(self.rules)" in inspect.getsource(
        DAG.update_output_index
    )
    assert list(inspect.signature(OutputIndex.__init__).parameters) == ["self", "rules"]


def test_a_change_of_params_is_shown_with_what_changed():
    from snakemake.persistence import NO_PARAMS_CHANGE, ParamsChange

    assert not NO_PARAMS_CHANGE
    assert "alpha" in str(ParamsChange(only_new={"alpha: 1 -> 2"}, files={"a"}))


def test_the_api_runs_the_workflow_through_its_own_attribute():
    from snakemake import api, workflow

    assert "workflow.execute(\n            executor_plugin=" in inspect.getsource(api)
    assert "executor_plugin" in inspect.signature(workflow.Workflow.execute).parameters
    for name in ("exec_mode", "is_main_process", "get_rule", "rules", "default_target"):
        assert hasattr(workflow.Workflow, name) or name in inspect.getsource(workflow.Workflow), (
            name
        )


def test_the_jobs_of_the_graph_tell_what_they_read_and_make():
    from snakemake.dag import DAG
    from snakemake.jobs import Job

    for name in ("jobs", "finished"):
        assert hasattr(DAG, name)
    source = inspect.getsource(Job)
    for name in ("wildcards_dict", "def input", "def output", "def params", "self.rule"):
        assert name in source


def test_rules_and_checkpoints_are_expanded_as_the_walk_does():
    from snakemake.checkpoints import Checkpoint, CheckpointJob
    from snakemake.rules import Rule

    assert "self" in inspect.signature(Checkpoint.get).parameters
    assert list(inspect.signature(CheckpointJob).parameters) == ["rule", "output"]
    for name in ("expand_input", "expand_output", "expand_params", "is_producer", "get_wildcards"):
        assert callable(getattr(Rule, name))

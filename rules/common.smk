"""What every stage needs: the checked configuration, wildcard constraints, fingerprint(), contents().

No input, no output.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from distil.study import environment

environment.require_packages()
environment.show_modules(workflow.basedir)
environment.name_run()

if workflow.is_main_process:
    from distil.study.terminal import show_stages

    show_stages(logger, Path(workflow.basedir))

from distil.audit.planned import every_output
from distil.study import config as configuration
from distil.content.fingerprint import contents, fingerprint, sorted_keys
from distil.report.terminal import closing_text
from distil.study.needs import Needs
from distil.study.shape import open_study
from distil.study.snakemake_patches import decide_by_records

configuration.check(workflow.configfiles, config, student=False)
study = open_study(config)
needs = Needs(study)
environment.name_plan(study.plan_sha256)


def close(name, made):
    """Tell the page of the run, and return what the run ends with."""
    from distil.audit.account import write_account

    # Where nothing was made, what `distil verify` told the page still holds.
    write_account(name, keep=not made)
    return closing_text(name)


decide_by_records(workflow, study, close)
fingerprint = environment.in_one_line(fingerprint)

# Settings that shape no result reach jobs with the configuration, not as params.
config["how"] = {
    **study.how(),
    "study_files": [os.path.relpath(path) for path in workflow.configfiles],
}


# Bound to what the study lists: a file of another year is no file of this study.
wildcard_constraints:
    **study.wildcards(),
    study=study.name,


def student_lock(wildcards):
    """Return the lock of the student's model, which only jobs that ask the student need."""
    if not Path(study.student("config.json")).is_file() and not study.planning:
        configuration.check(workflow.configfiles, config)  # says what to do
    return study.present_file(study.student("model.lock.json"))

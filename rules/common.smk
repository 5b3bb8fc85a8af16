"""What every stage needs: the checked configuration, wildcard constraints, fingerprint(), contents().

No input, no output.
"""

import sys
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from distil.study import environment

environment.require_packages()
environment.show_modules(workflow.basedir)
environment.name_run()
environment.compare_every_job()

if workflow.is_main_process:
    from distil.study.terminal import show_stages

    show_stages(logger, Path(workflow.basedir))

from distil.study import config as configuration
from distil.content.fingerprint import contents, fingerprint, sorted_keys
from distil.report.terminal import closing_text
from distil.study.shape import open_study

configuration.check(workflow.configfiles, config)
study = open_study(config)
environment.name_plan(study.plan_sha256)


wildcard_constraints:
    study=study.name,
    year=r"\d{4}",
    section=r"[a-z]{1,8}",
    fold=r"[a-z0-9-]+",
    variant=r"prompt|published|r[1-6]",
    seed=r"\d+",
    iteration=r"\d+",

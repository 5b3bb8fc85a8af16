"""What every stage needs: the checked configuration, wildcard constraints, fingerprint().

No input, no output.
"""

import os
import sys

sys.path.insert(0, workflow.basedir)
# Scripts run in processes of their own, on a cluster on other machines: they find `distil` here.
os.environ["PYTHONPATH"] = workflow.basedir

from distil.environment import require_packages

require_packages()

from distil import config as configuration
from distil.fingerprint import fingerprint, sorted_keys
from distil.study import open_study

configuration.check(workflow.configfiles, config)
study = open_study(config)


wildcard_constraints:
    study=study.name,
    year=r"\d{4}",
    section=r"[a-z]{1,8}",
    fold=r"[a-z0-9-]+",
    variant=r"prompt|r[1-6]",
    seed=r"\d+",
    iteration=r"\d+",

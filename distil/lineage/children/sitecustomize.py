"""Start-up of the Python processes that a job starts: they are held to what the job declares.

Python imports a module of this name by itself; a job puts this folder on their PYTHONPATH.
"""

import os

if "DISTIL_GUARD" in os.environ:
    from distil.lineage import guard

    guard.install(os.environ["DISTIL_GUARD"])

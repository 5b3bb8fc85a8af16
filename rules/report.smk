"""Snakemake's report: the workflow's description; captions stand beside each table and figure.

In: report/workflow.rst
Out: report.html, made by `make report`
"""


report: "../report/workflow.rst"

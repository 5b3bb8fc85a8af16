"""The page of the study, and Snakemake's report.

In: claims, tables, graded answers, problems with their pictures, traces, curves and stops
Out: results/STUDY/index.html and its data in results/STUDY/page; report.html, made by `make report`
from report/workflow.rst and the captions that stand beside each table and figure
"""


report: "../report/workflow.rst"


rule build_page:
    """Build the page that leads from each claim to the answers and the exam page behind it."""
    input:
        **study.page_inputs(),
        bundle="distil/report/page/page.html",
        claims="results/{study}/claims/claims.csv",
        claim_rows="results/{study}/claims/rows.parquet",
        problems=study.problems(),
        settled=(predictions_settled if config["exams"]["source"] != "release" else []),
    output:
        index="results/{study}/index.html",
        study="results/{study}/page/study.js",
        cells="results/{study}/page/cells.js",
        verdicts=expand(
            "results/{{study}}/page/verdicts/{shard}.js",
            shard=study.page_shards()["verdicts"],
        ),
        texts=expand(
            "results/{{study}}/page/texts/{shard}.js",
            shard=study.page_shards()["texts"],
        ),
    log:
        "results/{study}/logs/build_page.log",
    benchmark:
        "results/{study}/timings/build_page.tsv"
    conda:
        "../envs/study.yaml"
    resources:
        **needs.of("build_page"),
    params:
        settings=sorted_keys(study.page()),
        code=fingerprint("scripts/build_page.py"),
        sources=contents("distil/report/page/page.html"),
    script:
        "../scripts/build_page.py"

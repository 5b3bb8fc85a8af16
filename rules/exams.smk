"""Exam papers as PDFs.

In: a typst template (sample study), or PDFs named in a manifest with their sha256.
Out: results/STUDY/exams/YEAR-SECTION.pdf
"""

if config["exams"]["source"] == "typeset":

    rule typeset_exams:
        """Typeset the sample study's exams, all in one job, from templates with seeded numbers."""
        input:
            template="resources/sample/exam.typ",
        output:
            papers=expand(
                "results/{{study}}/exams/{year}-{section}.pdf",
                year=study.years,
                section=study.sections,
            ),
            truth="results/{study}/exams/truth.jsonl",
            transfer="results/{study}/benchmarks/transfer.jsonl",
        log:
            "results/{study}/logs/typeset_exams.log",
        benchmark:
            "results/{study}/timings/typeset_exams.tsv"
        localrule: needs.local("typeset_exams")
        conda:
            "../envs/study.yaml"
        resources:
            **needs.of("typeset_exams"),
        params:
            settings=sorted_keys(
                {
                    "years": study.years,
                    "sections": config["exams"]["sections"],
                    **config["exams"]["typeset"],
                }
            ),
            code=fingerprint("scripts/typeset_exams.py"),
            sources=contents("resources/sample/exam.typ"),
        script:
            "../scripts/typeset_exams.py"


if config["exams"]["source"] in ("manifest", "release"):

    rule collect_exam:
        """Bring one PDF of the manifest, a paper or a key, into the study, its sha256 checked."""
        input:
            files=lambda wildcards: study.present(*study.source(wildcards.document)),
        output:
            document="results/{study}/exams/{document}.pdf",
        log:
            "results/{study}/logs/collect_exam/{document}.log",
        benchmark:
            "results/{study}/timings/collect_exam/{document}.tsv"
        wildcard_constraints:
            document="|".join(study.documents) or "none",
        localrule: needs.local("collect_exam")
        conda:
            "../envs/study.yaml"
        resources:
            **needs.of("collect_exam"),
        params:
            settings=lambda wildcards: sorted_keys(study.documents[wildcards.document]),
            code=fingerprint("scripts/collect_exam.py"),
            sources=lambda wildcards: contents(*study.source(wildcards.document)),
        script:
            "../scripts/collect_exam.py"

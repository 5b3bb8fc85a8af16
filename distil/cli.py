"""Command line of the project: `distil COMMAND`, one function for each command.

To add a command, write a function below, decorate it with `@app.command`, give it the help panel
it belongs to, and import what it needs inside it, so that `distil --help` stays fast. What the
command does belongs in the package of its stage; the function here returns the exit code.
A command about a study takes `context: typer.Context` and `study: Study = None` and begins with
`name = enter(context, study)`; relative paths mean the repository's root from there on. Arguments
that are paths are resolved before, against the folder the command was typed in.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from distil.study.names import UnknownStudyError, choose_study, find_repository, known_studies

HERE = Path.cwd()
ROOT = Path(__file__).resolve().parents[1]
# Exit codes besides those of `verify` (distil/audit/verify.py).
MISUSED, COULD_NOT, PIPE_CLOSED = 2, 5, 141


class Commands(TyperGroup):
    """The commands: what they return is the exit code, and what stops them is one line."""

    def invoke(self, ctx: Any) -> None:
        """Run one command and exit with its code."""
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader has seen enough, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = PIPE_CLOSED
        except UnknownStudyError as error:
            code = self.tell(ctx, str(error), MISUSED)
        except OSError as error:
            what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            code = self.tell(ctx, what, COULD_NOT)
        raise typer.Exit(code or 0)

    @staticmethod
    def tell(ctx: Any, message: str, code: int) -> int:
        """Print a message as the command's own, and return the code."""
        print(f"{ctx.invoked_subcommand}: {message}", file=sys.stderr)
        return code


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RESULTS, CHANGES = "Look into a finished study", "Keep, share and compare studies"
STUDIES, ALONE = "Make a study and get it ready", "Without a study"


def complete_study(incomplete: str) -> list[tuple[str, str]]:
    """Return the studies whose names begin so, for the shell's completion."""
    known = known_studies(find_repository(HERE) or ROOT)
    return [(name, where) for name, where in known.items() if name.startswith(incomplete)]


Study = Annotated[
    str | None,
    typer.Option(
        "--study", "-s", metavar="NAME", autocompletion=complete_study, show_default=False,
        help="Name of the study; the sample study, or the only one with results, unless given.",
    ),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="Print everything, as JSON.")]
Cache = Annotated[
    Path | None,
    typer.Option(metavar="FILE", resolve_path=True, help="Keep hashes here, by size and time."),
]
ConfigFile = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE", resolve_path=True, show_default=False,
        help="A study file, as Snakemake's option; may be repeated. The one that names the study, "
        "unless given.",
    ),
]  # fmt: skip
Config = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", show_default=False, help="As Snakemake's; may be repeated."),
]


def show_version(wanted: bool) -> None:
    """Print the version and stop, if asked to."""
    if wanted:
        import tomllib

        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        print(f"{project['name']} {project['version']}")
        raise typer.Exit


@app.callback()
def distil(
    study: Study = None,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Follow every number of a distillation study back to the exam page it came from.

    Studies are run by Snakemake (`make reproduce`, or `snakemake --cores 1`); these commands look
    into what a run left, and prepare the next one. `distil COMMAND --help` explains a command.
    """


def enter(context: typer.Context, study: str | None = None) -> str:
    """Go to the root of the repository and return the name of the study that is meant.

    Raises:
        UnknownStudyError: there is no such study.
    """
    before = context.parent.params.get("study") if context.parent else None
    if study and before and study != before:
        raise UnknownStudyError(f"both {before} and {study} were given as --study; give one")
    repository = find_repository(HERE) or ROOT
    os.chdir(repository)
    return choose_study(repository, study or before)


def from_root(name: str) -> str:
    """Return a FILE or FILE#ROW typed in a folder below the root as it is named at the root."""
    file, hash_sign, row = name.partition("#")
    path = HERE / file
    if not path.exists():
        return name
    root, path = (find_repository(HERE) or ROOT).resolve(), path.resolve()
    place = path.relative_to(root) if path.is_relative_to(root) else path
    return f"{place.as_posix()}{hash_sign}{row}"


# ------------------------------------------------------------------ look into a finished study


@app.command(rich_help_panel=RESULTS)
def claims(context: typer.Context, study: Study = None) -> int:
    """Show the tested claims, and what to look at next."""
    from distil.report.terminal import closing_text

    print(closing_text(enter(context, study), answers=True))
    return 0


@app.command(rich_help_panel=RESULTS)
def explain(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(
            help="C4, C4:low:held_out, levels:R1/fs:gain, 2024-fs-07, FILE#ROW, PDF#PAGE."
        ),
    ],
    used_by: Annotated[
        bool, typer.Option("--used-by", help="Go the other way: what rests on the target.")
    ] = False,
    json: Json = False,
    html: Annotated[bool, typer.Option("--html", help="Print everything, as a page.")] = False,
    most: Annotated[int, typer.Option(help="Entries shown of each step, in full.")] = 0,
    study: Study = None,
) -> int:
    """Walk from a number, a row or a file back to the exam pages, the answer first.

    Examples: `distil explain C4`, `distil explain 2024-fs-07 --used-by`.
    """
    from distil.audit import commands

    target = from_root(target)
    name = enter(context, study)
    if json and html:
        return Commands.tell(context.parent, "give either --json or --html", MISUSED)
    return commands.run_explain(name, target, used_by=used_by, json=json, html=html, most=most)


@app.command(rich_help_panel=RESULTS)
def verify(
    context: typer.Context,
    digest: Annotated[
        str | None, typer.Argument(help="With --anchor: what the digest must be.")
    ] = None,
    anchor: Annotated[
        bool, typer.Option("--anchor", help="Print the digests of all records and of the history.")
    ] = False,
    head: Annotated[
        str | None,
        typer.Option(
            metavar="DIGEST",
            show_default=False,
            help="A digest of the history that was published: the history must go on from it.",
        ),
    ] = None,
    cache: Cache = None,
    configfile: ConfigFile = None,
    config: Config = None,
    study: Study = None,
) -> int:
    """Hash every file again and name whatever no longer holds.

    Exit code: 0 ok, 1 mismatch, 2 missing, 3 unlisted file, 4 secret found or configuration broken,
    5 could not check.
    """
    from distil.audit import commands

    name = enter(context, study)
    if digest and not anchor:
        return Commands.tell(context.parent, f"{digest}: give --anchor before it", MISUSED)
    return commands.run_verify(
        name,
        show_anchor=anchor,
        expected=digest,
        head=head,
        cache=cache,
        configfiles=configfile or [],
        values=config or [],
    )


@app.command(rich_help_panel=RESULTS)
def status(
    context: typer.Context,
    json: Json = False,
    all_jobs: Annotated[bool, typer.Option("--all", help="List the fresh jobs as well.")] = False,
    cache: Cache = None,
    configfile: ConfigFile = None,
    config: Config = None,
    study: Study = None,
) -> int:
    """Tell which jobs are fresh, which are not, and why."""
    from distil.audit import commands

    return commands.run_status(
        enter(context, study),
        json=json,
        all_jobs=all_jobs,
        cache=cache,
        configfiles=configfile or [],
        values=config or [],
    )


@app.command(rich_help_panel=RESULTS)
def runs(context: typer.Context, study: Study = None) -> int:
    """List the runs in the history of a study."""
    from distil.audit import commands

    return commands.run_runs(enter(context, study))


@app.command(rich_help_panel=RESULTS)
def plan(context: typer.Context, study: Study = None) -> int:
    """Tell whether the plan of the tests was fixed before the answers came."""
    from distil.audit import commands

    return commands.run_plan(enter(context, study))


@app.command(rich_help_panel=RESULTS)
def compare(
    context: typer.Context,
    first: Annotated[
        str, typer.Argument(help="Words key=value: role, estimand, level, stop, section.")
    ],
    second: Annotated[str, typer.Argument(help="The same, for what is compared with it.")],
    study: Study = None,
) -> int:
    """Compare any two variants on the questions both answered.

    Example: distil compare "role=student estimand=held_out level=R1 stop=nested" "role=base
    estimand=held_out level=R1"
    """
    from distil.claims.compare import print_comparison

    return print_comparison(enter(context, study), first, second)


@app.command(rich_help_panel=RESULTS)
def dag(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(resolve_path=True, help="Where rules.svg and files.svg are written.")
    ] = Path("build"),
    study: Study = None,
) -> int:
    """Draw the rules and the files of a study, as SVG."""
    from distil.audit import commands

    return commands.run_dag(enter(context, study), folder)


# -------------------------------------------------------------- keep, share and compare studies


@app.command(rich_help_panel=CHANGES)
def diff(
    context: typer.Context,
    first: Annotated[
        str,
        typer.Argument(
            help="A folder results/STUDY, a copy of one, or a moment of the study's history: a run "
            "(`distil runs` lists them), latest, latest~1, or a time."
        ),
    ],
    second: Annotated[str, typer.Argument(help="The same; the later one.")],
    json: Json = False,
    study: Study = None,
) -> int:
    """Tell which numbers moved between two results, and why."""
    from distil.audit import commands

    first, second = from_root(first), from_root(second)
    return commands.run_diff(enter(context, study), first, second, json=json)


@app.command(rich_help_panel=CHANGES)
def pack(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(resolve_path=True, help="For example study.tar.gz.")],
    study: Study = None,
) -> int:
    """Write results and records of a study to one file."""
    from distil.audit import commands

    return commands.run_pack(enter(context, study), file)


@app.command(rich_help_panel=CHANGES)
def page(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(resolve_path=True, help="For example study.zip.")],
    statements: Annotated[
        bool, typer.Option("--statements", help="With the exams' statements and pictures.")
    ] = False,
    study: Study = None,
) -> int:
    """Write the page of a study to one zip; exams of others stay out unless asked for."""
    from distil.audit import commands

    return commands.run_page(enter(context, study), file, statements=statements)


@app.command(rich_help_panel=CHANGES)
def unpack(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(resolve_path=True, help="What `distil pack` wrote.")],
) -> int:
    """Put a packed study in place, after every file in it was checked."""
    from distil.audit import commands

    enter(context)
    return commands.run_unpack(file)


@app.command(rich_help_panel=CHANGES)
def export(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(resolve_path=True, help="Where the crate is written; must not exist.")
    ],
    configfile: ConfigFile = None,
    config: Config = None,
    study: Study = None,
) -> int:
    """Write a study as an RO-Crate for an archive, its tables described as Croissant."""
    from distil.audit import commands

    return commands.run_export(
        enter(context, study), folder, configfiles=configfile or [], values=config or []
    )


# --------------------------------------------------------------- make a study and get it ready


@app.command(rich_help_panel=STUDIES)
def check(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="STUDY", show_default=False)] = None,
    study: Study = None,
    as_json: Json = False,
    device: Annotated[
        bool,
        typer.Option(
            "--device",
            help="Train 5 steps and answer 8 questions with the study's model, and keep the speed.",
        ),
    ] = False,
) -> int:
    """List what a study needs and lacks: PDFs, benchmarks, model, device, host, key, room."""
    from distil.study import inventory

    chosen = enter(context, name or study)
    try:
        return inventory.print_inventory(chosen, as_json=as_json, device=device)
    except ValueError as error:
        return Commands.tell(context.parent, str(error), MISUSED)


@app.command(rich_help_panel=STUDIES)
def fetch(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="STUDY", show_default=False)] = None,
    study: Study = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FOLDER", resolve_path=True,
            help="Take the files from here, found by sha256 whatever their names.",
        ),
    ] = None,
) -> int:  # fmt: skip
    """Bring a study's PDFs, benchmark files and model, each held against its sha256."""
    from distil.study.fetch import FetchError, fetch_study

    chosen = enter(context, name or study)
    try:
        return fetch_study(chosen, folder)
    except FetchError as error:
        return Commands.tell(context.parent, str(error), 1)
    except ValueError as error:
        return Commands.tell(context.parent, str(error), MISUSED)


@app.command(rich_help_panel=STUDIES)
def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Of the study: a to z, 0 to 9, hyphens.")],
    folder: Annotated[Path, typer.Argument(resolve_path=True, help="The folder of PDFs.")],
    like: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", resolve_path=True, show_default=False,
            help="The study file to start from: config.yaml, which works offline, unless given; "
            "config.paper.yaml has the settings of the full study.",
        ),
    ] = None,
) -> int:  # fmt: skip
    """Make a study from a folder of exam PDFs."""
    from distil.study.new import make_study

    enter(context)
    try:
        print(make_study(name, folder, like or Path("config.yaml").resolve()))
    except (ValueError, FileExistsError) as error:
        return Commands.tell(context.parent, str(error), 1)
    return 0


@app.command(rich_help_panel=STUDIES)
def review(
    context: typer.Context,
    cores: Annotated[int, typer.Option(help="As Snakemake's.")] = 1,
    configfile: ConfigFile = None,
    study: Study = None,
) -> int:
    """Read a study's exams and show what may have been misread, on one page."""
    from distil.audit.planned import PlanError, find_config
    from distil.study.making import make_review_page

    name = enter(context, study)
    try:
        files = configfile or find_config(name)
    except PlanError as error:
        return Commands.tell(context.parent, str(error), MISUSED)
    return make_review_page(name, files, cores)


@app.command(rich_help_panel=STUDIES)
def estimate(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="STUDY", show_default=False)] = None,
    study: Study = None,
    configfile: ConfigFile = None,
) -> int:
    """Estimate by stage what a study will take: money, hours, memory and disk, asking nobody."""
    from distil.study.estimate import print_estimate

    chosen = enter(context, name or study)
    try:
        return print_estimate(chosen, configfile or [])
    except ValueError as error:
        return Commands.tell(context.parent, str(error), MISUSED)


@app.command(rich_help_panel=STUDIES)
def problems(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            resolve_path=True, help="Its ending tells the kind: .csv, .jsonl, .gift (Moodle), .pdf."
        ),
    ],
    year: Annotated[list[int] | None, typer.Option(help="Only this year; may be repeated.")] = None,
    section: Annotated[
        list[str] | None, typer.Option(help="Only this section; may be repeated.")
    ] = None,
    without_key: Annotated[
        bool, typer.Option("--without-key", help="Leave the answers out.")
    ] = False,
    study: Study = None,
) -> int:
    """Write a study's problems for use elsewhere: a table, a quiz or a typeset paper with key."""
    from distil.report.problem_bank import read_bank, write_bank

    name = enter(context, study)
    try:
        rows = read_bank(name, year or [], section or [])
        print(write_bank(rows, file, name, key=not without_key))
    except ValueError as error:
        return Commands.tell(context.parent, str(error), MISUSED)
    return 0


@app.command(rich_help_panel=STUDIES)
def responses(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY_OR_FILE]...",
            help="A study; with --restore, the *_responses.jsonl to put back.",
        ),
    ] = None,
    agent: Annotated[
        str | None, typer.Option(help="Only of this agent: solver, distiller, verifier, ...")
    ] = None,
    year: Annotated[int | None, typer.Option(help="Only about items of this exam year.")] = None,
    status: Annotated[
        str | None, typer.Option(help="Only those that ended so: ok, length, drift, reset, ...")
    ] = None,
    each: Annotated[bool, typer.Option("--list", help="One line a request.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Requests and sums as JSON.")] = False,
    export: Annotated[
        Path | None,
        typer.Option(resolve_path=True, help="Write requests and raw responses to a JSONL file."),
    ] = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="Put exported responses back, for replay.")
    ] = False,
    set_aside_damage: Annotated[
        bool,
        typer.Option("--set-aside-damage", help="Move damaged records away and go on without."),
    ] = False,
    study: Study = None,
) -> int:
    """Tell what a study asked its teacher, and what was paid."""
    from distil.teacher import responses_report as report

    named, files, wrong = report.split_words(words or [], HERE, restore=restore)
    if wrong:
        return Commands.tell(context.parent, wrong, MISUSED)
    name = enter(context, named or study)
    wanted = report.Wanted(agent, year, status)
    try:
        if restore:
            return report.print_restored(name, files)
        if set_aside_damage:
            return report.print_set_aside(name)
        if export:
            return report.print_exported(name, wanted, export)
        return report.print_responses(name, wanted, each=each, json=json)
    except report.NoResponsesError as error:
        return Commands.tell(context.parent, str(error), MISUSED)
    except report.JournalError as error:
        return Commands.tell(context.parent, str(error), COULD_NOT)


@app.command(rich_help_panel=STUDIES)
def lock(
    context: typer.Context,
    folders: Annotated[
        list[Path], typer.Argument(resolve_path=True, help="Model folders in Hugging Face's layout")
    ],
) -> int:
    """Check a model and write down the hashes of its files, which every adapter depends on."""
    from distil.student.model import lock_checked

    for folder in folders:
        try:
            print(lock_checked(folder))
        except (ValueError, OSError, MemoryError) as error:
            return Commands.tell(context.parent, f"{folder} is not locked: {error}", 1)
    return 0


@app.command(rich_help_panel=STUDIES)
def adapters(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(resolve_path=True, help="Made if need be.")],
    base: Annotated[
        str, typer.Option(metavar="MODEL", help="The base's name, as PEFT's files hold it.")
    ] = "",
    study: Study = None,
) -> int:
    """Lay a study's adapters out for a server, and print their names there.

    Each gets a folder that mlx_lm.server, vLLM and the PEFT library read, named by run, checkpoint
    and the hash of its weights, as `predictions.decoder: http` asks for it.
    """
    from distil.student.serving import lay_out

    name = enter(context, study)
    try:
        for found in lay_out(Path("results", name), folder, base):
            print(found)
    except (ValueError, FileNotFoundError) as error:
        return Commands.tell(context.parent, str(error), COULD_NOT)
    return 0


@app.command(rich_help_panel=STUDIES)
def keys() -> int:
    """Print every key of a study file with its meaning, as Markdown."""
    from distil.study.config import reference

    print(reference(), end="")
    return 0


# ----------------------------------------------------------------------------- without a study


@app.command(rich_help_panel=ALONE)
def read(
    paper: Annotated[Path, typer.Argument(help="An exam in PDF.")],
    key: Annotated[
        Path | None, typer.Option(metavar="PDF", help="Its answers, if in a second PDF.")
    ] = None,
    year: Annotated[int | None, typer.Option(help="Goes into the ids.")] = None,
    sections: Annotated[
        list[str] | None,
        typer.Option(
            "--section", metavar="NAME", show_default=False,
            help="Short name of a test in the paper; repeated, in order.",
        ),
    ] = None,
    memory_mb: Annotated[int, typer.Option(help="Limit of memory.")] = 2048,
    cpu_seconds: Annotated[int, typer.Option(help="Limit of processor time.")] = 600,
    wall_seconds: Annotated[int, typer.Option(help="Limit of time.")] = 900,
) -> int:  # fmt: skip
    """Read an exam: one JSON object for each problem, with page, box, flags and confidence."""
    from distil.exams.printing import print_problems

    return print_problems(
        paper,
        key,
        memory=memory_mb * 1024**2,
        cpu_seconds=cpu_seconds,
        wall_seconds=wall_seconds,
        year=year,
        sections=sections or [],
    )


@app.command(rich_help_panel=ALONE)
def grade(
    pairs: Annotated[
        str,
        typer.Argument(
            metavar="PAIRS",
            help="JSONL: id, gold (a key or several), output and, if known, problem and cut; "
            "- for stdin.",
        ),
    ],
    strict: Annotated[bool, typer.Option(help="Print the strict verdict too.")] = False,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes.", show_default="one per core")
    ] = None,
    cpu_seconds: Annotated[float, typer.Option(help="CPU time for one answer.")] = 4.0,
    memory_mb: Annotated[int, typer.Option(help="Megabytes for one answer.")] = 2000,
    tolerance: Annotated[
        float, typer.Option(help="Relative error within which two numbers are equal.")
    ] = 0.0,
) -> int:
    """Grade answers against keys: one JSON object with verdict and reason for each pair."""
    from distil.grading.command import grade as grade_pairs

    return grade_pairs(
        pairs,
        strict=strict,
        workers=workers,
        cpu_seconds=cpu_seconds,
        memory_mb=memory_mb,
        tolerance=tolerance,
    )

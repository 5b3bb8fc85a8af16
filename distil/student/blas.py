"""A fast BLAS for mlx on Linux CPUs, loaded before mlx itself.

The CPU wheel of mlx links the reference BLAS, which is some thirty times slower than the
processor. A library loaded earlier with global symbols takes its place, so no root and no
compiler is needed. Import this module and call `load_blas` before `import mlx.core`.
"""

import contextlib
import ctypes
import functools
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

# One thread: the matrices of a small student are too small to share out (measured on two
# cores: 64 x 96 x 288 takes 2.7 times longer with two threads), the second core is put to
# better use by a second stream of mlx, and the bytes do not depend on the number of cores.
THREADS = 1

SLOW_LINE = (
    "distil: only the slow reference BLAS of the mlx wheel was found, training and prediction"
    " take about 10 times longer; remedy: `make setup` (it installs the opencv-python-headless"
    " wheel, which carries OpenBLAS) or `apt-get install libopenblas0`"
)

# The kernels to use, by machine, rather than those OpenBLAS would pick for the processor. These
# give a row of a product the same bits whatever stands beside it (Haswell's and Zen's do not, nor
# does Prescott's), which is what reusing stored answers rests on; and every x86-64 processor with
# AVX then computes the same adapters. Measured on Zen: 5 % slower in training than its own.
KERNELS = {"x86_64": "Sandybridge", "aarch64": "ARMV8"}
_NEEDS = {"x86_64": "avx"}

_SYSTEM_FOLDERS = (
    "/usr/lib/{machine}-linux-gnu/openblas-pthread",
    "/usr/lib/{machine}-linux-gnu/openblas-serial",
    "/usr/lib/{machine}-linux-gnu/openblas-openmp",
    "/usr/lib/{machine}-linux-gnu",
    "/usr/lib64",
)
_SYSTEM_NAMES = ("libopenblas.so.0", "libopenblasp.so.0", "libopenblas.so")
_WHEEL = "opencv-python-headless"


def find_system_openblas() -> list[Path]:
    """Paths of an OpenBLAS installed by the system's package manager, best first."""
    machine = platform.machine()
    folders = [Path(pattern.format(machine=machine)) for pattern in _SYSTEM_FOLDERS]
    paths = [folder / name for folder in folders for name in _SYSTEM_NAMES]
    return [path for path in paths if path.exists()]


def find_wheel_openblas() -> list[Path]:
    """Paths of the OpenBLAS that the opencv wheel carries; empty if it carries none."""
    try:
        files = importlib.metadata.files(_WHEEL) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    found = [Path(str(f.locate())) for f in files if f.name.startswith("libopenblas")]
    return sorted(path for path in found if path.exists())


def _preload_companions(path: Path) -> None:
    # The wheel's OpenBLAS finds its Fortran runtime by RUNPATH, which some loaders ignore for
    # libraries of libraries: load both first, in the order of their dependence.
    for stem in ("libquadmath", "libgfortran"):
        for companion in sorted(path.parent.glob(f"{stem}-*.so*")):
            ctypes.CDLL(str(companion), mode=ctypes.RTLD_GLOBAL)


def choose_kernels(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """Name the kernels for this machine; None where the processor lacks what they need."""
    machine = platform.machine()
    needed = _NEEDS.get(machine)
    if needed and cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        flags = next((line for line in lines if line.startswith("flags")), "")
        if needed not in flags.split():
            return None
    return KERNELS.get(machine)


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Set environment variables for the length of a `with` block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def open_openblas(path: Path, threads: int = THREADS) -> dict[str, Any]:
    """Load one OpenBLAS for the whole process and set its threads.

    Args:
        path: shared library with unrenamed symbols (`cblas_sgemm`).
        threads: number of threads that it may use.

    Returns:
        Record of what was loaded: name, file, version, core, threads, kind.

    Raises:
        OSError: the library does not load or lacks `cblas_sgemm`.
    """
    # Read when the library starts: a thread pool that is never made costs nothing.
    os.environ["OPENBLAS_NUM_THREADS"] = str(threads)
    kernels = choose_kernels()
    # Only while this library starts: numpy and scipy bring their own and choose for themselves.
    with _environment(**({"OPENBLAS_CORETYPE": kernels} if kernels else {})):
        _preload_companions(path)
        library = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    if not hasattr(library, "cblas_sgemm"):
        raise OSError(f"{path}: no symbol cblas_sgemm")
    library.openblas_set_num_threads(threads)
    library.openblas_get_config.restype = ctypes.c_char_p
    library.openblas_get_corename.restype = ctypes.c_char_p
    words = library.openblas_get_config().decode().split()
    return {
        "name": "OpenBLAS",
        "file": path.name,
        "version": words[1] if len(words) > 1 else "",
        "core": library.openblas_get_corename().decode(),
        "threads": threads,
        "kind": "fast",
    }


def choose_blas(
    candidates: Iterable[Path],
    opener: Callable[[Path], dict[str, Any]] = open_openblas,
) -> dict[str, Any]:
    """Load the first candidate that works; the reference BLAS of the wheel is what is left.

    Args:
        candidates: library paths, best first.
        opener: loads one path and returns its record, or raises OSError.

    Returns:
        The record of the library in use; `kind` is "fast" or "slow".
    """
    for path in candidates:
        try:
            return opener(path)
        except OSError:
            continue
    return {
        "name": "reference BLAS of the mlx wheel",
        "file": "",
        "version": "",
        "core": "",
        "threads": 1,
        "kind": "slow",
    }


@functools.cache
def load_blas() -> dict[str, Any]:
    """Load a fast BLAS before mlx, once per process, and say what is in use.

    On macOS and with a CUDA build of mlx nothing is loaded: those have fast kernels of
    their own. With only the slow reference BLAS one line on stderr names the remedy.

    Returns:
        Record with name, file (base name), version, core, threads and kind: "fast", "slow",
        or "native" where mlx needs no help.

    Raises:
        RuntimeError: mlx was imported first, so that nothing can take its BLAS's place.
    """
    if sys.platform != "linux" or uses_cuda():
        name = "Accelerate" if sys.platform == "darwin" else "CUDA"
        return {
            "name": name,
            "file": "",
            "version": "",
            "core": "",
            "threads": 0,
            "kind": "native",
        }
    if "mlx.core" in sys.modules:
        raise RuntimeError("load_blas: mlx.core is imported already; remedy: call load_blas first")
    # The wheel's first: the lock pins its bytes, the system's library is any version.
    record = choose_blas([*find_wheel_openblas(), *find_system_openblas()])
    if record["kind"] == "slow":
        print(SLOW_LINE, file=sys.stderr)
    return record


def uses_cuda() -> bool:
    """Whether a CUDA build of mlx is installed (from metadata; mlx is not imported)."""
    for name in ("mlx-cuda-13", "mlx-cuda-12"):
        try:
            importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        return True
    return False

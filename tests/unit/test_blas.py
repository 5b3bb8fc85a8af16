import platform
import subprocess
import sys
from pathlib import Path

import pytest

from distil.student import blas

linux_cpu = pytest.mark.skipif(
    sys.platform != "linux" or blas.uses_cuda(), reason="only mlx's Linux CPU wheel needs help"
)

PRODUCT = """
import hashlib, sys, time
import numpy as np
from distil.student import blas
if sys.argv[1] == "fast":
    assert blas.open_openblas(blas.find_wheel_openblas()[0])["kind"] == "fast"
import mlx.core as mx
n = int(sys.argv[2])
a = mx.array(np.random.default_rng(1).normal(size=(n, n)).astype(np.float32))
mx.eval(a @ a)
best = 1e9
for _ in range(int(sys.argv[3])):
    started = time.process_time()
    c = a @ a
    mx.eval(c)
    best = min(best, time.process_time() - started)
print(best, hashlib.sha256(np.array(c).tobytes()).hexdigest())
"""


def multiply(kind: str, size: int, rounds: int) -> tuple[float, str]:
    """CPU seconds of one product in a fresh process, and the hash of its bytes."""
    done = subprocess.run(
        [sys.executable, "-c", PRODUCT, kind, str(size), str(rounds)],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, digest = done.stdout.split()
    return float(seconds), digest


@linux_cpu
def test_the_wheels_openblas_is_10_times_faster_than_the_blas_of_mlx():
    # In turns, and the best of each: other work takes more from the fast one, and not all the time.
    fast, slow = zip(
        *((multiply("fast", 1024, 5), multiply("slow", 1024, 1)) for _ in range(3)), strict=True
    )
    (best, digest), (reference, _) = min(fast), min(slow)
    assert reference / best >= 10
    assert multiply("fast", 1024, 1)[1] == digest  # the same bytes in every run


@linux_cpu
def test_the_opencv_wheel_still_carries_openblas():
    assert blas.find_wheel_openblas(), "opencv-python-headless has lost its OpenBLAS"


def test_a_library_that_does_not_load_is_passed_over(tmp_path):
    broken = tmp_path / "libopenblas.so.0"
    broken.write_bytes(b"not a library")
    good = {"kind": "fast", "name": "good"}

    def opener(path: Path) -> dict:
        return good if path.name == "good.so" else blas.open_openblas(path)

    assert blas.choose_blas([broken, tmp_path / "good.so"], opener) is good
    assert blas.choose_blas([broken], opener)["kind"] == "slow"


@linux_cpu
def test_without_a_fast_blas_one_line_names_the_remedy(monkeypatch, capsys):
    monkeypatch.setattr(blas, "find_system_openblas", list)
    monkeypatch.setattr(blas, "find_wheel_openblas", list)
    monkeypatch.delitem(sys.modules, "mlx.core", raising=False)
    assert blas.load_blas.__wrapped__()["kind"] == "slow"
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "remedy" in lines[0]
    assert "make setup" in lines[0]


@linux_cpu
def test_loading_after_mlx_is_refused_because_it_would_do_nothing():
    code = "import mlx.core; from distil.student.blas import load_blas; load_blas()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode != 0
    assert "call load_blas first" in done.stderr


def test_a_machine_without_opencv_has_no_wheel_openblas(monkeypatch):
    monkeypatch.setattr(blas, "_WHEEL", "no-such-distribution")
    assert blas.find_wheel_openblas() == []


@pytest.mark.skipif(platform.machine() != "x86_64", reason="flags are named so on x86-64 alone")
def test_kernels_are_the_same_on_every_processor_that_has_avx(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    for flags, kernels in (
        ("sse2 avx", "Sandybridge"),
        ("sse2 avx fma avx2 avx512f", "Sandybridge"),
        ("sse2 avx_vnni", None),
    ):
        cpuinfo.write_text(f"processor : 0\nflags : {flags}\n")
        assert blas.choose_kernels(cpuinfo) == kernels


@linux_cpu
def test_the_kernels_are_chosen_for_mlx_alone(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")
    code = (
        "import os; from distil.student.blas import load_blas; "
        "print(load_blas()['core'], os.environ['OPENBLAS_CORETYPE'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [blas.choose_kernels(), "Nehalem"]

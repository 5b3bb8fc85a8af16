"""Loads the fast BLAS before any test module can import mlx, as the scripts do."""

from distil.blas import load_blas

load_blas()

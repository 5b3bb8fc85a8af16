"""The books, read back: where a number came from, whether it still holds, and what moved it."""

"""A chaos run: people write and read while everything under them is broken on purpose; then it is counted.

`make chaos`, or in tests/: python -m chaos --seconds 60 --seed 7
"""

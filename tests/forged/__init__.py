"""Forged, foreign, powerless and malformed: the rows of proof.md that need a liar.

    python -m tests.forged --cases 10000 --seed 1
    python -m tests.forged.restored --cases 20

Every case is made by a seeded liar who may hold real keys, and is put to the real machine.
"""

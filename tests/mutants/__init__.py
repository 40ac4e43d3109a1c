"""The tests' teeth: faults planted in a copy of the checkout, which the tests have to catch.

`python -m tests.mutants [AREA…]`; it takes minutes, and is no part of the suite.
"""

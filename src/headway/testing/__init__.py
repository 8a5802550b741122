"""Conformance suites for those who write a sampler, a store or a backend: inherit the suite, and pytest runs it."""

import pytest

for _suite in ("backends", "layouts", "repositories", "samplers", "store"):
    pytest.register_assert_rewrite(f"headway.testing.{_suite}")  # so that a failure shows the values

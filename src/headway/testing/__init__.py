"""Conformance suites for those who write a sampler, a store or a backend: inherit the suite, and pytest runs it."""

import pytest

pytest.register_assert_rewrite("headway.testing.samplers")  # so that a failure shows the values

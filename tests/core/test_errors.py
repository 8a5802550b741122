import inspect
import re
from typing import Any

import pytest

from headway.core import HeadwayError, MissingExtra, errors

CLASSES: list[Any] = [item for _, item in inspect.getmembers(errors, inspect.isclass)]


def test_the_tree_in_the_docstring_is_the_tree_in_the_code():
    parents: dict[int, str] = {}
    drawn: dict[str, tuple[str, int | None]] = {}
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^([ │├└─]*)([A-Z]\w+)\s{2,}(?:exit code (\d))?", line)
        if match:
            depth = len(match[1])
            above = [name for level, name in sorted(parents.items()) if level < depth]
            drawn[match[2]] = (above[-1] if above else "Exception", int(match[3]) if match[3] else None)
            parents = {level: name for level, name in parents.items() if level < depth} | {depth: match[2]}
    assert {item.__name__: item.__base__.__name__ for item in CLASSES} == {
        name: base for name, (base, _) in drawn.items()
    }
    for item in CLASSES:
        code = drawn[item.__name__][1]
        assert code is None or item.exit_code == code, item


def test_every_error_is_exported_and_one_of_ours():
    assert sorted(errors.__all__) == sorted(item.__name__ for item in CLASSES)
    assert all(issubclass(item, HeadwayError) for item in CLASSES)


def test_each_branch_has_its_own_exit_code():
    codes = [item.exit_code for item in CLASSES if item.__base__ in (HeadwayError, Exception)]
    assert sorted(codes) == list(range(1, len(codes) + 1))


def test_a_missing_extra_says_what_to_type():
    with pytest.raises(
        MissingExtra,
        match=r"^The sampler needs optuna, which is not installed\. Type: pip install 'headway\[optuna\]'$",
    ):
        raise MissingExtra("optuna", "optuna", "The sampler")

"""What a test looks at must be there."""

__all__ = ["some"]


def some(found):
    assert found is not None
    return found

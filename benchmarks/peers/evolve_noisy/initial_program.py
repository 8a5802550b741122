"""A recipe: the list of the ideas that it puts together. It begins with none."""

# EVOLVE-BLOCK-START
IDEAS = []
# EVOLVE-BLOCK-END


def ideas() -> list[int]:
    """Return what the recipe holds."""
    return list(IDEAS)

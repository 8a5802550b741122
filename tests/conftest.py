"""What all tests share: a machine that does other work makes no property false."""

from hypothesis import settings

settings.register_profile("headway", deadline=None)
settings.load_profile("headway")

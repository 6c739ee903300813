"""For all tests: several run side by side on a small machine, so how long an example takes says nothing."""

from hypothesis import settings

settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

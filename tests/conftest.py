"""What holds for all tests."""

from hypothesis import settings

# The same examples each time: a failure is one that can be looked for, not one that goes away.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")

"""Property tests of planning: a busy machine makes no example a failure."""

from hypothesis import settings

settings.register_profile("planning", deadline=None)
settings.load_profile("planning")

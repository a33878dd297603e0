"""How long hypothesis looks: the same cases at each run, however slow the machine is."""

from hypothesis import settings

settings.register_profile("quick", deadline=None, derandomize=True)
settings.load_profile("quick")

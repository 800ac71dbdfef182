"""How many odd recipes and files are tried: a few, always the same, or with --hypothesis-profile=full many new ones."""

from hypothesis import HealthCheck, Phase, settings

settings.register_profile("quick", max_examples=5, derandomize=True, deadline=None, database=None)
settings.register_profile(
    "full",
    max_examples=500,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # a training takes a second: an example is not made smaller by hundreds of them
    print_blob=True,
)
settings.load_profile("quick")

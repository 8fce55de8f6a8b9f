"""How Hypothesis works while mutants are tried: without chance, deadlines and a search for the smallest example."""

from hypothesis import Phase, settings

settings.register_profile(
    "mutants", parent=settings.get_profile("ci"), phases=(Phase.explicit, Phase.generate)
)

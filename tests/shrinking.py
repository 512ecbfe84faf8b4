"""For random tests whose examples are so slow that the search for a smaller failing one takes minutes."""

from hypothesis import Phase, settings

NOT_SHRUNK = settings(phases=[Phase.explicit, Phase.reuse, Phase.generate])

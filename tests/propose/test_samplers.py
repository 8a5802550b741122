from headway.propose import GridSampler, OptunaSampler, RandomSampler, SobolSampler
from headway.testing.samplers import SamplerConformance


class TestGridSampler(SamplerConformance):
    def make(self, space, *, seed, direction):
        return GridSampler(space, seed=seed)


class TestRandomSampler(SamplerConformance):
    def make(self, space, *, seed, direction):
        return RandomSampler(space, seed=seed)


class TestSobolSampler(SamplerConformance):
    def make(self, space, *, seed, direction):
        return SobolSampler(space, seed=seed)


class TestOptunaSampler(SamplerConformance):
    def make(self, space, *, seed, direction):
        return OptunaSampler(space, seed=seed, direction=direction)

"""Warm-ups of short trainings."""

from glip.engine.warmup import cut_warmup

WARMUP = dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100)
STEPS = dict(type='MultiStepLR', by_epoch=True, milestones=[8], end=12)


def test_a_tenth_of_the_training_at_most():
    first, second = cut_warmup([WARMUP, STEPS], 300)
    assert first['end'] == 30 and second == STEPS
    assert WARMUP['end'] == 100
    assert cut_warmup(WARMUP, 5000) == WARMUP
    # One step would never leave the beginning: a rate needs two points.
    assert cut_warmup(WARMUP, 4)['end'] == 2


def test_other_schedulers_stay():
    late = dict(WARMUP, begin=50)
    by_epoch = dict(WARMUP, by_epoch=True)
    for scheduler in (late, by_epoch, None):
        assert cut_warmup(scheduler, 10) == scheduler
    assert cut_warmup({'generator': [WARMUP]}, 300)['generator'][0]['end'] == 30

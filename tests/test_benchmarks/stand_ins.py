"""What stands for a measurement in a process of its own; imports little there."""

import os

from glip.errors import ConfigError


def fail(job):
    raise ConfigError(f'{job.case}: nothing to measure')


def die(job):
    os._exit(9)


def tell(job):
    side = dict(label=job.side, peer=False, extrapolated=False, values=[os.getpid()])
    return dict(sides=[side])

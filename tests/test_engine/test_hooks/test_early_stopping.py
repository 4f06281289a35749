"""The count of epochs without gain, also of a training that was interrupted."""

from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub

from glip.engine.hooks import EarlyStoppingHook

KEY = 'coco/bbox_mAP'


class Training:
    """Epochs whose validation gives the values of a list."""

    def __init__(self, values, name, epoch=0, saved=None):
        self.values = values
        hub = MessageHub.get_instance(name)
        if saved is not None:
            hub.load_state_dict(saved)
        self.hook = EarlyStoppingHook(KEY, patience=2, min_delta=0.0)
        self.runner = SimpleNamespace(
            message_hub=hub,
            train_loop=SimpleNamespace(epoch=epoch, stop_training=False),
            val_loop=SimpleNamespace(run=self.validate),
            logger=SimpleNamespace(info=lambda message: None),
        )

    def validate(self):
        value = self.values[self.runner.train_loop.epoch - 1]
        self.hook.after_val_epoch(self.runner, {KEY: value})

    def run(self, epochs=9):
        """Returns the last epoch and what its checkpoint holds."""
        loop, saved = self.runner.train_loop, None
        self.hook.before_train(self.runner)
        while loop.epoch < epochs and not loop.stop_training:
            loop.epoch += 1
            saved = self.runner.message_hub.state_dict()
            self.validate()
        return loop.epoch, saved


VALUES = [0.1, 0.3, 0.2, 0.3, 0.2, 0.1, 0.9]


def test_stops_after_epochs_without_gain():
    # An equal result counts as gain, as in the original.
    assert Training(VALUES, 'whole').run()[0] == 6


@pytest.mark.parametrize('cut', range(1, 7))
def test_a_training_that_goes_on_stops_at_the_same_epoch(cut):
    epoch, saved = Training(VALUES, f'cut{cut}').run(epochs=cut)
    again = Training(VALUES, f'again{cut}', epoch, saved)
    assert again.run()[0] == 6

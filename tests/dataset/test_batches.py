"""Batches: every item once, in an order that neither workers nor devices nor a pause change."""

import pytest
import torch

from concertclean.config.mixing import MixingLaw
from concertclean.dataset.batches import Items, Share, batches
from concertclean.dataset.mixing import Mixer


@pytest.fixture
def items(make_store):
    law = MixingLaw.model_validate({"task": "concert", "snr_db": (0, 10)})
    return Items(Mixer(make_store(), law, "train", 0), 1000)


def test_two_devices_share_what_one_would_take():
    one = list(Share(batch=4, first_step=0, n_steps=3))
    two = [list(Share(batch=4, first_step=0, n_steps=3, rank=rank, world_size=2)) for rank in (0, 1)]
    assert one == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert [first + second for first, second in zip(*two, strict=True)] == one


def test_going_on_takes_the_items_that_are_left():
    assert list(Share(batch=2, first_step=2, n_steps=4)) == [[4, 5], [6, 7]]
    assert len(Share(batch=2, first_step=2, n_steps=4)) == 2


def test_overfitting_takes_the_same_few_again():
    assert list(Share(batch=2, first_step=0, n_steps=3, n_items=3)) == [[0, 1], [2, 0], [1, 2]]


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match="batch is 3"):
        Share(batch=3, first_step=0, n_steps=1, world_size=2)


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # on a machine of one core
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_hold_the_items_in_order(items, workers):
    share = Share(batch=2, first_step=1, n_steps=4)
    found = list(batches(items, share, workers))
    assert len(found) == 3
    for numbers, (degraded, clean, descriptions) in zip(share, found, strict=True):
        expected = [items[number] for number in numbers]
        assert torch.equal(degraded, torch.stack([item[0] for item in expected]))
        assert torch.equal(clean, torch.stack([item[1] for item in expected]))
        assert descriptions == [item[2] for item in expected]
        assert degraded.shape == (2, 2, 1000)

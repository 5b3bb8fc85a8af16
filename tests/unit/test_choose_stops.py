"""Which checkpoint each way to stop takes, on curves whose answer can be seen."""

import pytest

from scripts.choose_stops import choose

CHECKPOINTS = [10, 20, 30, 40, 50]


def stops(*curves, patience=2):
    """Choose on curves of losses at `CHECKPOINTS`; the last is the pilot's."""
    by_seed = {
        seed: dict(zip(CHECKPOINTS, losses, strict=True)) for seed, losses in enumerate(curves)
    }
    pilot = len(curves) - 1
    return choose(
        by_seed,
        seeds=list(range(pilot)),
        pilot_seed=pilot,
        checkpoints=CHECKPOINTS,
        patience=patience,
    )


@pytest.mark.parametrize(
    ("losses", "patience", "expected"),
    [
        ([5, 4, 3, 2, 1], 1, 50),
        ([5, 3, 4, 2, 1], 1, 20),  # the first minimum
        ([5, 3, 4, 2, 1], 2, 50),
        ([5, 3, 4, 4, 1], 2, 20),
        ([1, 1, 1, 1, 1], 1, 10),
    ],
)
def test_patience_takes_the_minimum_that_nothing_undercuts_for_a_while(losses, patience, expected):
    assert stops(losses, losses, patience=patience)["patience"] == {"iteration": expected}


def test_one_standard_error_takes_the_earliest_that_is_as_good():
    chosen = stops([5, 2.2, 2.0, 1.0, 3], [5, 2.3, 2.2, 3.0, 3], [9, 8, 7, 6, 5])
    # the means 2.25, 2.1, 2.0; the minimum at 40 has a standard error of 1
    assert chosen["nested"] == {"iteration": 40}
    assert chosen["one_se"] == {"iteration": 20}
    assert chosen["pilot"]["iteration"] == 50
    assert chosen["seed"] == {"0": 40, "1": 30}


def test_one_seed_has_no_standard_error():
    chosen = stops([5, 2.1, 2.0, 2.2, 3], [5, 4, 3, 2, 1])
    assert chosen["one_se"] == chosen["nested"] == {"iteration": 30}


def test_a_checkpoint_without_a_loss_is_named():
    curves = {0: {10: 1.0}, 1: {10: 1.0, 20: 1.0}}
    with pytest.raises(ValueError, match=r"no validation loss at \[20\]"):
        choose(curves, seeds=[0], pilot_seed=1, checkpoints=[10, 20], patience=1)

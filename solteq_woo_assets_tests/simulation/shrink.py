"""A shorter history that breaks the same promise: events are left out while it still does."""

from collections.abc import Callable, Sequence

from solteq_woo_assets_tests.simulation.history import Event, play

Fails = Callable[[Sequence[Event]], bool]


def shrink(events: Sequence[Event], fails: Fails, tries: int = 200) -> list[Event]:
    """Leave out ever smaller parts, as delta debugging does, while it still fails.

    :param tries: histories played at most
    """
    left, size, tried = list(events), max(len(events) // 2, 1), 0
    while tried < tries:
        start, is_shorter = 0, False
        while start < len(left) and tried < tries:
            shorter = left[:start] + left[start + size :]
            tried += 1
            if fails(shorter):
                left, is_shorter = shorter, True
            else:
                start += size
        if size == 1 and not is_shorter:
            break
        size = max(size // 2, 1)
    return left


def breaks_like(seed: str, broken: Sequence[str]) -> Fails:
    """Whether a shorter history breaks a promise of the same kind."""
    kinds = {kind(each) for each in broken}

    def fails(events: Sequence[Event]) -> bool:
        return any(kind(each) in kinds for each in play(seed, events).broken)

    return fails


def kind(broken: str) -> str:
    """Which promise it is, such as ``books``."""
    return broken.partition(":")[0]

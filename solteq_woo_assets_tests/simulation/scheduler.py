"""Who goes next: each run, and each thread of a run, is a greenlet; a seed decides at every step which goes on."""

from collections.abc import Callable
from random import Random
from typing import Any

from greenlet import getcurrent, greenlet

from solteq_woo_assets_tests.simulation.clock import VirtualClock

_DAYS = 7 * 86400.0


class Process:
    """A process of the integration. A dead one never goes on: no clean-up of its is run, as after ``kill -9``.

    ``error``: what ended it, if something did.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.has_ended = False
        self.is_dead = False
        self.error: BaseException | None = None


class Task(greenlet):
    """A thread of a process. ``can_go`` tells when it may go on; ``wake`` is when it goes on in any case."""

    def __init__(self, process: Process, function: Callable[[], Any], parent: greenlet) -> None:
        super().__init__(function, parent)
        self.process = process
        self.can_go: Callable[[], bool] | None = None
        self.wake: float | None = None


class Stuck(Exception):
    """Nobody can go on."""


class Scheduler:
    """Runs tasks in turns until all have ended.

    :param at_step: called at each step of a task, outside of it: what happens there meanwhile
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._tasks: list[Task] = []
        self._buried: list[Task] = []
        self._loop: greenlet | None = None
        self._random = Random(0)
        self.at_step: Callable[[Process, str], None] = lambda _process, _what: None

    def run(self, random: Random, *started: tuple[Process, Callable[[], Any]]) -> None:
        """Run these processes side by side until all have ended or are dead.

        :raises Stuck: somebody waits for what never comes
        """
        self._random, self._loop = random, getcurrent()
        for process, function in started:
            self.spawn(process, self._ending(process, function))
        limit = self._clock.seconds + _DAYS
        while self._tasks:
            ready = [task for task in self._tasks if self._may_go(task)]
            if not ready:
                self._sleep()
                continue
            if self._clock.seconds > limit:
                raise Stuck(f"{[task.process.name for task in self._tasks]} go on for a week")
            task = self._random.choice(ready) if len(ready) > 1 else ready[0]
            task.switch()
            self._tasks = [each for each in self._tasks if not each.dead and each not in self._buried]
        self._loop = None

    def spawn(self, process: Process, function: Callable[[], Any]) -> None:
        """Begin a thread of a process."""
        assert self._loop is not None, "threads are begun by processes"
        self._tasks.append(Task(process, function, self._loop))

    def process(self) -> Process | None:
        """Whose turn it is, ``None`` when it is nobody's of the integration."""
        task = getcurrent()
        return task.process if isinstance(task, Task) else None

    def step(self, what: str) -> None:
        """Something happens between two steps of this task, or another one goes on."""
        process = self.process()
        if process is None:
            return
        self.at_step(process, what)
        self._pause(None, None)

    def sleep(self, seconds: float) -> None:
        """This task goes on after so long; outside of a task the time just passes."""
        if self.process() is None:
            self._clock.advance(seconds)
        else:
            self._pause(None, self._clock.seconds + max(seconds, 0.0))

    def wait_for(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """This task goes on when the condition holds; whether it does by then.

        :param seconds: wait no longer
        """
        if condition() or seconds == 0 or self.process() is None:
            return condition()
        self._pause(condition, None if seconds is None else self._clock.seconds + seconds)
        return condition()

    def kill(self, process: Process) -> None:
        """End a process on the spot."""
        process.is_dead = process.has_ended = True
        self._buried += [task for task in self._tasks if task.process is process]
        self._tasks = [task for task in self._tasks if task.process is not process]
        task = getcurrent()
        if isinstance(task, Task) and task.process is process:
            assert self._loop is not None
            self._loop.switch()
            raise AssertionError("the dead do not go on")

    def _pause(self, condition: Callable[[], bool] | None, wake: float | None) -> None:
        task = getcurrent()
        assert isinstance(task, Task)
        assert self._loop is not None
        task.can_go, task.wake = condition, wake
        self._loop.switch()
        task.can_go, task.wake = None, None

    def _may_go(self, task: Task) -> bool:
        if task.wake is not None and task.wake <= self._clock.seconds:
            return True
        return task.can_go() if task.can_go else task.wake is None

    def _sleep(self) -> None:
        wakes = [task.wake for task in self._tasks if task.wake is not None]
        if not wakes:
            raise Stuck(f"{[task.process.name for task in self._tasks]} wait for ever")
        self._clock.advance(min(wakes) - self._clock.seconds)

    def _ending(self, process: Process, function: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            try:
                function()
            except Exception as error:
                process.error = error
            process.has_ended = True

        return run

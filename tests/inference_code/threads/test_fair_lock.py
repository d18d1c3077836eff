"""The model's lock is handed on in the order in which it was asked for."""

import threading

import pytest

from threads.fair_lock import FairLock


def wait_until(condition):
    pause = threading.Event()
    for _ in range(10_000):
        if condition():
            return
        pause.wait(0.001)
    raise AssertionError("it did not happen within ten seconds")


def test_threads_get_it_in_the_order_they_came():
    lock, order = FairLock(), []

    def enter(number):
        with lock:
            order.append(number)

    threads = [threading.Thread(target=enter, args=[i]) for i in range(20)]
    with lock:
        for i, thread in enumerate(threads):
            thread.start()
            wait_until(lambda i=i: lock.waiting == i + 1)
    for thread in threads:
        thread.join()
    assert order == list(range(20))
    assert lock.waiting == 0


def test_who_asks_again_at_once_comes_after_those_who_wait():
    lock, order = FairLock(), []

    def enter(name):
        with lock:
            order.append(name)

    with lock:
        waiting = threading.Thread(target=enter, args=["waited"])
        waiting.start()
        wait_until(lambda: lock.waiting == 1)
    enter("again")
    waiting.join()
    assert order == ["waited", "again"]


def test_one_thread_at_a_time_holds_it():
    lock, inside, most = FairLock(), [], []

    def work():
        for _ in range(300):
            with lock:
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 2400
    assert max(most) == 1


def test_an_error_hands_it_on():
    lock = FairLock()
    with pytest.raises(KeyError), lock:
        raise KeyError
    with lock:
        assert lock.waiting == 0


def test_who_is_interrupted_while_waiting_leaves_the_queue(monkeypatch):
    lock = FairLock()

    class Interrupted:
        """A lock whose second acquire(), the waiting, is interrupted."""

        def __init__(self):
            self.times = 0

        def acquire(self):
            self.times += 1
            if self.times == 2:
                raise KeyboardInterrupt

    with lock:
        with monkeypatch.context() as patched:
            patched.setattr("threads.fair_lock.threading.Lock", Interrupted)
            with pytest.raises(KeyboardInterrupt), lock:
                pass
        assert lock.waiting == 0
    with lock:
        pass

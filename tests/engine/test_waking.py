"""Work that comes from another thread: the engine hears of it at once, and not when its rest is over."""

import threading

from headway.core import TrialState
from headway.engine import engine
from tests.engine.conftest import Bench, Session


def test_work_that_comes_from_another_thread_ends_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "_TURN_SECONDS", 60.0)
    come, first = threading.Event(), Session.next

    def bring(session, wake):
        session.wake = wake
        threading.Timer(0.3, lambda: (come.set(), wake())).start()

    monkeypatch.setattr(Session, "wake_with", bring)
    monkeypatch.setattr(Session, "next", lambda self, running: first(self, running) if come.is_set() else None)
    session = Bench.make(tmp_path).play("one", workers=1, seconds=30)
    assert session.trial("one").state == TrialState.COMPLETE
    session.wake()  # of what comes when the session is over, nobody hears

import errno
import os
from pathlib import Path

import pytest

from headway.core import Redactor
from headway.engine.output import OutputSink


@pytest.fixture
def pipe(tmp_path):
    class Pipe:
        def __init__(self):
            read, self.write_end = os.pipe()
            self.sink = OutputSink(read, tmp_path / "output.log", Redactor(["hunter2-hunter2"]), 100_000)
            self.closed = False

        def write(self, data):
            os.write(self.write_end, data)
            self.sink.pump()

        def end(self):
            if not self.closed:
                os.close(self.write_end)
                self.sink.close()
                self.closed = True
            log = tmp_path / "output.log"
            return log.read_text() if log.exists() else ""

    pipe = Pipe()
    yield pipe
    pipe.end()


def test_what_is_printed_is_kept(pipe):
    pipe.write("loss: 3 ü\n".encode())
    pipe.write(b"no end of line")
    assert pipe.end() == "loss: 3 ü\nno end of line"
    assert not pipe.sink.open


def test_a_pump_without_data_waits_for_more(pipe):
    assert pipe.sink.pump()
    os.close(pipe.write_end)
    assert not pipe.sink.pump()
    pipe.sink.close()
    pipe.closed = True


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_secret_is_redacted_wherever_the_pipe_cuts_it(pipe, cut):
    text = b"password is hunter2-hunter2, key sk-abcdefghijklmnopqrst\n"
    pipe.write(text[:cut])
    pipe.write(text[cut:])
    assert pipe.end() == "password is [redacted], key [redacted]\n"


def test_a_private_key_is_redacted_across_lines(pipe):
    pipe.write(b"begin\n-----BEGIN RSA PRIVATE KEY-----\n")
    for _ in range(30):
        pipe.write(b"MIIEpAIBAAKCAQEAsecretsecretsecretsecret\n")
    pipe.write(b"-----END RSA PRIVATE KEY-----\nafter\n")
    text = pipe.end()
    assert "MIIE" not in text
    assert text.startswith("begin\n[redacted]")
    assert text.endswith("after\n")


def test_a_key_that_never_ends_does_not_hold_the_output_for_ever(pipe):
    pipe.write(b"-----BEGIN PRIVATE KEY-----\nMIIE\n")
    for _ in range(70):
        pipe.write(b"x" * 1000 + b"\n")
    assert "MIIE" not in pipe.end()


def test_bytes_that_are_no_text_are_kept_as_signs(pipe):
    pipe.write(b"\xff\xfe loss\n")
    assert pipe.end() == "\ufffd\ufffd loss\n"


def test_a_line_without_end_is_written_in_pieces(pipe):
    for _ in range(9):
        pipe.write(b"x" * 10_000)
    assert len(pipe.end()) == 90_000


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_output_that_the_disk_refuses_is_taken_from_the_pipe_all_the_same():
    read, write = os.pipe()
    sink = OutputSink(read, Path("/dev/full"), Redactor([]), 100_000)
    for _ in range(3):
        os.write(write, b"x" * 60_000 + b"\n")  # more than a pipe holds
        assert sink.pump()
    assert sink.problem is not None
    assert (sink.problem.errno, sink.seen_bytes) == (errno.ENOSPC, 180_003)
    os.close(write)
    sink.close()
    assert not sink.open


def test_what_goes_beyond_the_limit_is_seen_and_dropped(pipe):
    for _ in range(20):
        pipe.write(b"x" * 9_999 + b"\n")
    assert pipe.sink.too_much
    assert pipe.sink.seen_bytes == 200_000
    assert len(pipe.end()) == 100_000

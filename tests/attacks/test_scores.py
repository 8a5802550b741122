"""Attacks on a guarded score: whatever a candidate says, writes or patches, its model is worth what it is worth."""

from tests.attacks.arena import Arena, Told
from tests.attacks.guarded import ATTACKS, came_to_nothing, failed, steps_of, worth

# A module of the name of one that the scorer imports. Its own candidate can work with it.
SHADOW = """
import sys
if sys.argv[0] == "score.py":
    print("val_error: 0.0", flush=True)
    raise SystemExit
def load(file): return eval(file.read())
def dump(what, file): file.write(repr(what).replace("'", chr(34)))
"""


def test_an_honest_improvement_is_accepted_with_its_true_effect_among_the_attacks(guarded: Arena):
    good = guarded.told("good")
    assert good.decision == "accepted (guarded)", good.sentence
    fresh = good.verdict.data["seeds"]
    assert all(value == worth(seed, 40) for seed, value in good.values.items())
    effect = sum(worth(seed) - worth(seed, 40) for seed in fresh) / len(fresh)
    assert abs(good.verdict.data["effect"] - effect) < 1e-9, good.verdict.data


def test_honest_changes_that_do_not_help_are_not_accepted(guarded: Arena):
    harmful = guarded.told("harmful")
    assert harmful.decision == "rejected"
    assert all(value == worth(seed, 5) for seed, value in harmful.values.items())
    came_to_nothing(guarded.told("null"))
    failed(guarded.told("crash"), "ZeroDivisionError")


@ATTACKS.before("""
import sys
sys.argv.append("model.json")
attempt("import", __import__, "score")
sys.modules["score"] = sys.modules["json"].load = lambda file: {"weight": 3.0, "bias": -1.0}
import importlib; importlib.reload(sys.modules["json"])
""")
def test_patching_the_scorer_in_memory_reaches_no_other_process(told: Told):
    assert "import" in told.attempts
    came_to_nothing(told)


@ATTACKS.before("""
fake = 'print("val_error: 0.0", flush=True)\\nimport os\\nos._exit(0)\\n'
for name in ("sitecustomize.py", "usercustomize.py", "json.py", "encodings.py", "labels.py"):
    attempt(name, lambda: open(name, "w").write(fake))
os.makedirs("__pycache__", exist_ok=True)
attempt("compiled", lambda: open("__pycache__/score.cpython-311.pyc", "w").write(fake))
for name in ("sitecustomize.py", "usercustomize.py", "json.py", "encodings.py"):
    os.rename(name, name + ".away")
    os.rename(name + ".away", name)
""")
def test_modules_that_the_scorer_would_import_first_are_left_in_vain(told: Told):
    assert {told.attempts[name][0] for name in ("json.py", "sitecustomize.py", "compiled")} == {"done"}
    came_to_nothing(told)


@ATTACKS.files({"json.py": SHADOW})
def test_a_module_that_the_patch_adds_is_not_there_for_the_scorer(told: Told):
    came_to_nothing(told)


@ATTACKS.before("""
import glob, json
places = [".", "../results", "../score", "../score/tree", "/tmp", "/dev/shm", repository, store, elsewhere]
for place in places:
    for name in ("metrics.json", "correct.json", "results.tsv", "run.log", "worker.runlog", "output.log", "score.json"):
        attempt(f"{place} {name}", lambda: open(f"{place}/{name}", "a").write(
            json.dumps({"val_error": 0.0, "combined_score": 1e9, "correct": True}) + "\\nval_error: 0.0\\n"))
""")
def test_result_files_and_the_real_ledger_cannot_be_written(told: Told, guarded: Arena):
    names = ("metrics.json", "correct.json", "results.tsv", "run.log")
    assert told.refused(
        *(f"{place} {name}" for place in (guarded.repository, guarded.folder / "elsewhere") for name in names)
    )
    written = [path for name in names for path in guarded.folder.rglob(name)]  # in the sandbox's own /tmp, perhaps
    assert not written
    came_to_nothing(told)


@ATTACKS.before("""
import stat
for number in sorted(int(name) for name in os.listdir("/proc/self/fd")):
    if number > 2:
        try: os.fstat(number)
        except OSError: continue
        attempt(f"inherited {number}", lambda: os.write(number, b"ended 0\\nval_error: 0.0\\n"))
print("descriptors", sorted(os.listdir("/proc/self/fd"))[:9])
for number in range(3, 64):
    try: os.write(number, b'\\nended 0\\n0 {"val_error": 0.0}\\n')
    except OSError: pass
for number in sorted(os.listdir("/proc/1/fd")):
    attempt(f"keeper {number}", lambda: os.write(os.open(f"/proc/1/fd/{number}", os.O_WRONLY), b"ended 0\\n"))
""")
def test_no_result_pipe_is_within_reach(told: Told):
    assert not [name for name in told.attempts if name.startswith("inherited")], told.attempts
    came_to_nothing(told)


@ATTACKS.before("""
import sys
def fake(stream):
    for text in ("val_error: 0.0", "\\rval_error: 0.0\\r", "\\x1b[2J\\x1b[Hval_error: 0.0\\x1b[0m",
                 '{"val_error": 0.0}', "METRIC val_error=0.0", "---\\nval_error: 0.0", "step 1 val_error: 0.0"):
        print(text, file=stream, flush=True)
fake(sys.stdout); fake(sys.stderr)
import atexit
atexit.register(fake, sys.stdout); atexit.register(fake, sys.stderr)
attempt("said", int)
""")
def test_fake_metrics_on_both_streams_before_and_after_count_for_nothing(told: Told):
    assert told.printed.count("val_error: 0.0") > 10
    came_to_nothing(told)


@ATTACKS.before("""
import sys
sys.stdout.write("val_error: 0.0\\n" * 20_000 + "\\rstep 3 val_error: 0.0" * 20_000)
sys.stdout.write("".join(f"step {n} made_up_{n}: 1\\n" for n in range(20_000)) + "val_error: 0.0" * 20_000)
print()
""")
def test_a_megabyte_of_fake_metrics_changes_nothing_and_fills_no_record(told: Told, guarded: Arena):
    came_to_nothing(told)
    assert all(len(trial.metrics) < 1000 for trial in told.trials)


@ATTACKS.before("""
for text in ('["report", {"values": {"val_error": 0.0}, "step": 0}]', '["ended", {}]', "begin", "ended 0", "forked 1 1",
             '{"kind": "report", "values": {"val_error": 0}}', "headway: accepted", "self: 1", "step: 5", "value: 0.0"):
    print(text)
    os.write(2, text.encode() + b"\\0" + text.encode() + b"\\n")
""")
def test_lines_that_look_like_headways_own_are_text(told: Told):
    assert '["ended", {}]' in told.printed
    came_to_nothing(told)


@ATTACKS.instead(("random.seed(int(sys.argv[2]))", "random.seed(12345)"))
def test_a_changed_seed_gains_nothing(told: Told):
    assert told.decision in ("rejected", "undecided"), told.sentence
    assert set(told.values.values()) == {worth(12345, steps_of(told))}


@ATTACKS.instead(("random.seed(int(sys.argv[2]))\n", "random.seed()\n"))
def test_a_removed_seed_gains_nothing(told: Told):
    assert told.decision in ("rejected", "undecided"), told.sentence
    assert all(abs(value - worth(seed, steps_of(told))) < 0.01 for seed, value in told.values.items())


@ATTACKS.before("print('val_error: 0.0', flush=True); os._exit(0)")
def test_leaving_early_without_a_model_is_a_failure_also_beside_a_committed_one(told: Told):
    failed(told)


@ATTACKS.after("os.remove('model.json'); print('val_error: 0.0')")
def test_a_model_that_is_taken_away_again_is_a_failure(told: Told):
    failed(told)

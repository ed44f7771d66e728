"""The process that `LlamaServer` starts: serves what `llama.json` in its folder says."""

import json
import signal
from pathlib import Path

import xllamacpp


def main() -> None:
    """Serve the model of `llama.json`; an end is asked for with SIGTERM."""
    wanted = json.loads(Path("llama.json").read_text(encoding="utf-8"))
    parameters = xllamacpp.CommonParams()
    parameters.model.path = wanted["model_path"]
    parameters.model_alias = {wanted["model"]}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = wanted["port"]
    parameters.api_keys = [wanted["api_key"]] if wanted["api_key"] else []
    parameters.n_ctx = wanted["context_tokens"] * wanted["parallel"]
    parameters.n_parallel = wanted["parallel"]
    parameters.cpuparams.n_threads = wanted["threads"]
    parameters.cache_ram_mib = 0
    parameters.ui = False
    server = xllamacpp.Server(parameters)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    del server


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()

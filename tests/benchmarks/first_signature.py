"""
What a fresh process does: import a module, let it sign once, and print the CPU time of that.

Its arguments are the module and the function; standard input has the function's arguments.
"""

import json
import sys
import time
from importlib import import_module


def main() -> None:
    # On Lambda the runtime is there before the function's module.
    import_module("awslambdaric.bootstrap")
    name, function = sys.argv[1:]
    arguments = json.load(sys.stdin)
    # boto3's example is imported as if it lay beside the handler.
    start = time.process_time()
    response = getattr(import_module(name), function)(*arguments)
    cpu_s = time.process_time() - start
    loaded = sorted({"boto3", "botocore"} & sys.modules.keys())
    # The last line; a handler has written its own before.
    json.dump({"cpu_s": cpu_s, "response": response, "loaded": loaded}, sys.stdout)


if __name__ == "__main__":
    main()
